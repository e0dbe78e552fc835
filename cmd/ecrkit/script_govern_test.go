package main

import (
	"context"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ecrkit/ecrkit/localecr"
)

// refuseCalls is "deny OPERATION": the operation is denied from now on; "none"
// ends it.
func refuseCalls(ts *testscript.TestScript, _ bool, args []string) {
	server := ts.Value(serverKey{}).(*localecr.Server)
	if args[0] == "none" {
		ts.Check(server.SetFaults())
		return
	}
	ts.Check(server.SetFaults(localecr.Fault{
		Op: args[0], Count: -1, Status: 400, Code: "AccessDeniedException", Message: "User is not authorized to perform: ecr:" + args[0],
	}))
}

// setFindings is "findings FILE": what scans find from now on, as
// localecr.LoadScanFindings reads it.
func setFindings(ts *testscript.TestScript, _ bool, args []string) {
	fixtures, err := localecr.LoadScanFindings(context.Background(), ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(ts.Value(serverKey{}).(*localecr.Server).SetScanFindings(fixtures...))
}
