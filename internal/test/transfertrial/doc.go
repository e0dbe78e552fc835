// Package transfertrial puts the built ecrkit through what large layers meet in
// the field: it is killed and interrupted, connections break, two of it do the
// same at once, and its memory is measured. What came and went is counted at the
// server, a local ECR. The tests are small by default; ECRKIT_TRIAL=full makes
// them as large as the layers that people push.
package transfertrial
