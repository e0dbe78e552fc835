package localecr

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// controlPath begins the paths of what test stacks ask the server: its health, and to change its state. These requests
// need no keys, as the ones of other emulators. A web page in a browser on this machine cannot make them, though it may
// reach the port: http.CrossOriginProtection refuses them.
const controlPath = "/_ecrkit/"

// A Health is the answer of a server to GET /_ecrkit/health, in JSON.
type Health struct {
	Status   string    `json:"status"`   // StatusOK, or "starting" with the HTTP status 503
	URL      string    `json:"url"`      // by which the client has called
	Registry string    `json:"registry"` // host name with port of the default registry
	Time     time.Time `json:"time"`     // of the server
}

// StatusOK is the status of a server that is ready.
const StatusOK = "ok"

// newControl returns the handler of the requests below controlPath.
func (s *Server) newControl() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+controlPath+"health", func(w http.ResponseWriter, r *http.Request) {
		host := s.hostFor(r.Host)
		h, status := Health{StatusOK, schemeOf(r) + "://" + host, host, s.clock.Now().UTC()}, http.StatusOK
		if s.seeding.Load() > 0 {
			h.Status, status = "starting", http.StatusServiceUnavailable
		}
		writeControl(w, status, h)
	})
	mux.HandleFunc("GET "+controlPath+"snapshot", func(w http.ResponseWriter, r *http.Request) {
		names, err := s.Snapshots()
		if err != nil {
			s.failControl(w, err)
			return
		}
		writeControl(w, http.StatusOK, map[string][]string{"snapshots": names})
	})
	for pattern, do := range map[string]func(r *http.Request) error{
		"POST " + controlPath + "reset":             func(r *http.Request) error { return s.Reset(r.Context()) },
		"POST " + controlPath + "snapshot/{name}":   func(r *http.Request) error { return s.Snapshot(r.PathValue("name")) },
		"DELETE " + controlPath + "snapshot/{name}": func(r *http.Request) error { return s.RemoveSnapshot(r.PathValue("name")) },
		"POST " + controlPath + "restore/{name}":    func(r *http.Request) error { return s.Restore(r.PathValue("name")) },
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := do(r); err != nil {
				s.failControl(w, err)
				return
			}
			writeControl(w, http.StatusOK, map[string]string{"status": "ok"})
		})
	}
	s.credentials().Add(mux)
	return http.NewCrossOriginProtection().Handler(mux)
}

func (s *Server) failControl(w http.ResponseWriter, err error) {
	status, code := http.StatusInternalServerError, "internal"
	switch {
	case errors.Is(err, ErrNoSnapshot):
		status, code = http.StatusNotFound, "snapshot-not-found"
	case errors.Is(err, ErrSnapshotName):
		status, code = http.StatusBadRequest, "snapshot-name"
	default:
		s.logger.Error("local ECR", "error", err)
	}
	writeControl(w, status, map[string]map[string]string{"error": {"code": code, "message": err.Error()}})
}

func writeControl(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // fails only when the client has gone
}
