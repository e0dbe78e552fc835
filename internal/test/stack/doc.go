// Package stack tests the local ECR as part of a test stack: the module for Testcontainers and the example for docker
// compose.
package stack
