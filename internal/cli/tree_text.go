package cli

import (
	"cmp"
	"strings"

	"github.com/ecrkit/ecrkit/internal/ui"
	"github.com/ecrkit/ecrkit/sign"
	"github.com/ecrkit/ecrkit/transfer/ref"
)

// treeText is what tree shows to people.
func (app *App) treeText(r ref.Reference, image *treeImage) string {
	var out strings.Builder
	out.WriteString(r.String() + "\n")
	writeTree(&out, "", imageNode(image, kindOf(image.MediaType, image.ArtifactType)))
	return ui.FitDigests(out.String(), app.columns())
}

// treeNode is a line and what hangs on it.
type treeNode struct {
	text     string
	children []treeNode
}

func writeTree(out *strings.Builder, indent string, n treeNode) {
	out.WriteString(n.text + "\n")
	for i, child := range n.children {
		branch, below := "├─ ", "│  "
		if i == len(n.children)-1 {
			branch, below = "└─ ", "   "
		}
		out.WriteString(indent + branch)
		writeTree(out, indent+below, child)
	}
}

// imageNode is an image, what is attached to it, and after that the images of an
// index.
func imageNode(image *treeImage, name string) treeNode {
	n := treeNode{text: string(image.Digest) + "  " + printable(name)}
	if image.Subject != "" {
		n.text += ", of " + string(image.Subject)
	}
	if image.Missing {
		n.text += " (missing)"
	}
	n.children = attachmentNodes(image.Attachments)
	for _, child := range image.Images {
		name := cmp.Or(child.Platform, kindOf(child.MediaType, child.ArtifactType))
		if child.Attests != "" {
			name = "attestation of " + string(child.Attests)
		}
		n.children = append(n.children, imageNode(child, name))
	}
	return n
}

func attachmentNodes(attachments []treeAttachment) []treeNode {
	var nodes []treeNode
	for _, a := range attachments {
		nodes = append(nodes, treeNode{attachmentText(a), attachmentNodes(a.Attachments)})
	}
	return nodes
}

// attachmentText is an attachment in a line: what it is, who made it, and where
// it is.
func attachmentText(a treeAttachment) string {
	var words []string
	switch a.Kind {
	case sign.KindSBOM:
		words = append(words, "bill of materials", a.ArtifactType)
	case sign.KindNotation:
		words = append(words, "signature of Notation")
	case sign.KindOther:
		words = append(words, cmp.Or(a.ArtifactType, a.MediaType))
	default:
		words = append(words, string(a.Kind))
		if a.Format != "" {
			words = append(words, "("+string(a.Format)+")")
		}
	}
	text := string(cmp.Or(a.Digest, "?")) + "  " + printable(strings.Join(words, " "))
	if a.Tag != "" {
		text += ", tag " + printable(a.Tag)
	}
	if len(a.SignedBy) > 0 {
		text += ", signed by " + strings.Join(a.SignedBy, " and ")
	}
	for _, c := range a.Contents {
		if about := contentText(c, len(a.SignedBy) > 0); about != "" {
			text += ", " + about
		}
	}
	if a.Problem != "" {
		text += ", cannot be read: " + printable(a.Problem)
	}
	return text
}

// contentText describes, of a signature or attestation what its kind does not; known says
// that its maker is shown.
func contentText(c sign.AttachmentContent, known bool) string {
	var parts []string
	if c.PredicateType != "" && c.PredicateType != signaturePredicate {
		parts = append(parts, printable(c.PredicateType))
	}
	switch {
	case c.Certificate:
		parts = append(parts, "signed with a certificate")
	case c.Key != "" && !known:
		parts = append(parts, "names key "+printable(c.Key))
	}
	if c.Problem != "" {
		parts = append(parts, "cannot be read: "+printable(c.Problem))
	}
	return strings.Join(parts, ", ")
}

// signaturePredicate is the type of predicates of signatures in bundles.
const signaturePredicate = "https://sigstore.dev/cosign/sign/v1"
