package proxy

import "time"

// Status is what /healthz answers, in JSON. Fields are only added.
type Status struct {
	Status    string    `json:"status"` // ok
	Since     time.Time `json:"since"`  // when the proxy was started
	Requests  int64     `json:"requestsInProgress"`
	Fetches   int       `json:"fetches"`   // blobs on their way into the cache
	Followers int       `json:"followers"` // clients that read them
	Waiting   []Waiting `json:"waiting"`   // registries that refuse requests at present
	Cache     struct {
		Bytes   int64 `json:"bytes"`
		Limit   int64 `json:"limit"` // in bytes
		Entries int   `json:"entries"`
		Corrupt int   `json:"corrupt"` // entries whose bytes had changed, since the start
	} `json:"cache"`
}

// Waiting is what waits for a registry.
type Waiting struct {
	Registry string    `json:"registry"`
	Requests int       `json:"requests"` // of clients, and layers on their way
	Since    time.Time `json:"since"`    // of the one that waits longest
	Reason   string    `json:"reason"`
}

// Status returns what the proxy does now.
func (h *Handler) Status() Status {
	s := Status{Status: "ok", Since: h.since.UTC().Truncate(time.Second), Requests: h.answering.Load()}
	s.Fetches, s.Followers = h.following()
	s.Waiting = h.waits.status()
	s.Cache.Bytes, s.Cache.Entries, s.Cache.Corrupt = h.cache.usage()
	s.Cache.Limit = h.cache.max
	return s
}
