// Package bench is a module of its own, so that the dependencies of the programs that ecrkit is tested
// with and measured against stay out of ecrkit's. Its go.mod pins these programs as tools:
//
//	go build -C bench -o DIR tool
//
// builds all of them into DIR: crane, regctl, regsync, oras and Amazon's credential helper, the peers that are Go
// programs, and staticcheck and govulncheck, which `make lint` runs. `make bench` measures the peers.
// The module in the directory cosign pins cosign, which would raise the versions of the others here.
package bench
