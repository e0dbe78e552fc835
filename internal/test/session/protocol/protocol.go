// Package protocol is what the process of a session and its clients agree on.
//
// A client connects to the session's socket and sends the size of a [Command], with its
// three standard files as control data, and then the command in JSON. The session answers
// with [Accepted] and, when the command has ended, its exit code in decimal; then it
// closes the connection. It closes it at once while it runs another command.
package protocol

import "encoding/binary"

// The variables of a client.
const (
	Socket     = "ECRKIT_SESSION_SOCKET"
	Program    = "ECRKIT_SESSION_PROGRAM" // that runs the command in a process of its own
	OwnProcess = "ECRKIT_SESSION_OWN_PROCESS"
)

// Accepted is the byte that a session sends before it runs a command.
const Accepted = 'a'

// A Command is what a process is started with, besides its open files.
type Command struct {
	Args []string // without the program's name
	Dir  string
	Env  []Variable
}

// A Variable is one of the environment.
type Variable struct{ Name, Value string }

// SizeBytes is the length of a size.
const SizeBytes = 4

// PutSize encodes a size.
func PutSize(size int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(size)) }

// Size decodes a size.
func Size(b []byte) int { return int(binary.BigEndian.Uint32(b)) }
