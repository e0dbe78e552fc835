// Package deflate takes gzip streams apart and puts them together again, bit for bit. A [Reader] returns
// the blocks and tokens of a stream with its plaintext. A model of the encoder predicts each token from the
// plaintext, and [Describe] writes only what the model did not predict; [Rebuild] makes the stream again
// from the plaintext and that description.
//
// The models are ours, not libraries: what they predict is part of the format and never changes under one
// name.
package deflate
