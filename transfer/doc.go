// Package transfer moves images: [Copy] copies one image or index with everything that it
// names, from one endpoint to another; [CopyAll] to several at once; [Preview] reports
// beforehand what a copy takes. [Retag] adds tags to an image, [Inspect] shows what
// is in one, [FetchBlob] and [StreamBlob] fetch one layer.
//
//	src := layout.New("build")
//	dst := ecr.New(cfg, registry, "app")
//	result, err := transfer.Copy(ctx, src, dst, transfer.Options{Reference: "1.2", Tags: []string{"1.2"}})
//
// An endpoint is whatever implements the interfaces of package content; the packages beside
// it are those that ecrkit has, and package ref opens the one that a reference names. This
// package knows none of them: no AWS, no HTTP, no file format.
//
// What is copied arrives byte for byte: a manifest is never serialized again, so digests
// survive. Every byte is checked against the digest and the size of the descriptor that named
// it, before anything counts as written. No URL that a manifest names is fetched unless
// [Options].Foreign is set.
//
// # Order
//
// A copy is five steps: resolve, plan, blobs, publish, remember. First it is known which image
// is copied, and [Options].Verify may refuse it. Then come blobs, images, their index, and with
// [Options].Referrers what is attached to them, all by digest; then [Options].BeforeTags, which
// may sign what is there; and the tags last. A tag never names an image of which something is
// missing.
package transfer
