package content

// Event is one step that a copy has done. Steps are reported as they
// happen, for one blob in the order of these kinds: EventStarted, any number of
// EventResumed and EventMoved, EventDone. Its JSON form is stable: fields are only added.
type Event struct {
	Kind EventKind `json:"event"`
	// Target names the endpoint to which it is copied.
	Target string `json:"target"`
	// Descriptor is of the blob or manifest; of EventPlanned, EventStored and
	// EventTagged that of the image.
	Descriptor Descriptor `json:"descriptor"`
	// Bytes is, of EventPlanned, how many are to be moved in all; of EventMoved,
	// how many have been moved since the event before, negative if they have to be
	// moved again; of EventResumed, how many an earlier copy had moved, negative if
	// they turn out to be wrong; of EventDone, the size of the blob.
	Bytes int64 `json:"bytes"`
	// Blobs is, of EventPlanned, how many are to be moved.
	Blobs int `json:"blobs,omitempty"`
	// Outcome is how EventDone came about.
	Outcome Outcome `json:"outcome,omitempty"`
	// Tag is, of EventTagged, the tag that names the image now.
	Tag string `json:"tag,omitempty"`
}

// EventKind is the kind of an [Event].
type EventKind string

// The kinds of event.
const (
	EventPlanned EventKind = "planned" // it is known what has to be moved
	EventStarted EventKind = "started" // with a blob
	EventResumed EventKind = "resumed" // bytes of a blob that an earlier copy has moved
	EventMoved   EventKind = "moved"   // bytes of a blob
	EventDone    EventKind = "done"    // with a blob or manifest
	EventStored  EventKind = "stored"  // the image, by digest, if Options.BeforeTags comes next
	EventTagged  EventKind = "tagged"  // the image
)

// Outcome is what became of a blob or manifest.
type Outcome string

// The outcomes.
const (
	OutcomeSent    Outcome = "sent"    // by this copy
	OutcomeResumed Outcome = "resumed" // by this copy, after an earlier one had begun
	OutcomeMounted Outcome = "mounted" // from another repository of the registry, without its bytes
	OutcomeSkipped Outcome = "skipped" // it was there
)
