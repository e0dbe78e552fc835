// Package wine runs the released binaries for Windows under Wine, against a local ECR in the process of the
// test.
//
//	make interop-windows
//
// needs Linux on amd64 and the Debian packages wine64 and gcc-mingw-w64-x86-64, which it installs when it can.
// A missing Wine is a failure: no test is skipped. docs/windows.md lists what Wine cannot show.
package wine
