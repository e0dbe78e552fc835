// Package transfertrial puts the built ecrkit through what large layers meet in
// the field: it is killed and interrupted, connections break, two of it do the
// same at once, and its memory is measured. What came and went is counted at the
// server, a local ECR. The tests are small; those that `make trial` runs are larger, and
// with ECRKIT_TRIAL=full as large as the layers that people push.
package transfertrial
