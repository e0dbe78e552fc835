// Package delta makes a layer from other layers, byte for byte: its compressed stream has the same digest,
// so every signature stays valid. A delta has a patch, which makes the layer's tar from the tars of base
// layers, and a description of the compressed stream, which makes the stream from the tar. The description
// names a model of the encoder that wrote the layer, and corrects it where it is wrong.
//
//	delta, err := w.Make(ctx, layer, bases)    // w is a [Workspace]
//	err = w.Apply(ctx, delta.File, delta.Size, bases, out)
//
// [Workspace.Make] proves each delta by rebuilding the layer. If that fails, or the delta would not be
// smaller, it says so, and the layer is to be carried whole. docs/delta-format.md has the format.
package delta
