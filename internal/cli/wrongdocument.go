package cli

import (
	"encoding/json"
	"io"

	"github.com/ecrkit/ecrkit/internal/files"
)

// document is a kind of JSON that Amazon ECR takes, and that files have.
type document string

const (
	lifecyclePolicy          document = "a lifecycle policy; `ecrkit lifecycle put REPO --policy FILE` takes it"
	permissionsPolicy        document = "a policy of permissions; `ecrkit repo policy set FILE REPO` takes that of a repository, `ecrkit registry policy set FILE` that of a registry"
	replicationConfiguration document = "a replication configuration; `ecrkit registry replication set FILE` takes it"
)

// maxDocument bounds what is read to find out what a file is, in bytes.
const maxDocument = 1 << 20

// documentOf returns which known document the text is, "" for any other.
func documentOf(text []byte) document {
	var d struct {
		Statement json.RawMessage
		Rules     []struct{ Selection, Action, Destinations json.RawMessage }
	}
	if json.Unmarshal(text, &d) != nil {
		return ""
	}
	if d.Statement != nil {
		return permissionsPolicy
	}
	for _, r := range d.Rules {
		switch {
		case r.Destinations != nil:
			return replicationConfiguration
		case r.Selection != nil && r.Action != nil:
			return lifecyclePolicy
		}
	}
	return ""
}

// wrongDocument is the error about a file with text that is not the wanted document: if it is another one, what it is and
// which command takes it.
func wrongDocument(path string, text []byte, wanted document, err error) error {
	if is := documentOf(text); is != "" && is != wanted {
		return usagef("%s: this is %s", showFile(path), is)
	}
	return usagef("%s: %w", showFile(path), err)
}

// wrongFile is [wrongDocument] of a file that was read in another way.
func (app *App) wrongFile(path string, err error) error {
	if path == "-" || files.CheckRegular(path) != nil {
		return usagef("%s: %w", showFile(path), err)
	}
	f, openErr := app.openText(path)
	if openErr != nil {
		return usagef("%s: %w", path, err)
	}
	defer f.Close() // opened for reading
	text, _ := io.ReadAll(io.LimitReader(f, maxDocument))
	return wrongDocument(path, text, "", err)
}
