package proxy

import "net/http"

// push answers a request that writes, or that is about an upload.
func (h *Handler) push(w http.ResponseWriter, _ *http.Request, _ target) error { return notAllowed(w) }
