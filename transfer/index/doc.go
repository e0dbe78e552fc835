// Package index makes, reads and edits image indexes. What is not edited stays byte for byte,
// and equal input makes an equal index.
package index
