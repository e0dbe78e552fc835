// Package media carries images of many repositories in files, across an air gap or on a disk: a set. A
// set is a directory with one OCI image layout in a tar, which may be cut into parts that cat joins
// again, and beside it a description of the set and the sums of the files.
//
//	images.tar.001, images.tar.002, …   the layout; images.tar if there is one part
//	set.json                            [Set]: parts with their sums, images by repository
//	SHA256SUMS                          for sha256sum --check
//	set.json.sigstore.json              signature of set.json, if the set is signed
//	set.json.minisig                    the same in the format of minisign
//	parity.001, parity.sums, *.copy     [Parity], if it was asked for
//
// A set can also be one file, or a stream: the same tar with the description inside, behind index.json; see
// [ExportFile], [ExportStream] and [OpenStream].
//
// All sizes are known before the first blob is fetched, and so is the place of each blob in the tar: it
// is written once, where it belongs, by several connections, and an export that was killed resumes. The
// same images make the same bytes. set.json appears when everything else is complete.
package media
