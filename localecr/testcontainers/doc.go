// Package testcontainers runs the local ECR of ecrkit in a container for the length of a test, with
// [Testcontainers for Go]. It is a module of its own, so that ecrkit does not depend on Testcontainers, nor a test on
// ecrkit:
//
//	container, err := ecrcontainer.Run(ctx, "ecrkit-local")
//	testcontainers.CleanupContainer(t, container)
//	if err != nil {
//		t.Fatal(err)
//	}
//	cfg, err := container.AWSConfig(ctx)
//
// `make image` builds the image. On a machine without a container engine, [RunProgram] runs ecrkit itself, and returns
// something with the same methods. Programs that may import ecrkit need neither: package localecr serves in the process.
//
// [Testcontainers for Go]: https://golang.testcontainers.org
package testcontainers
