package localecr

import (
	"encoding/json"
	"errors"
	"fmt"
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
	return http.NewCrossOriginProtection().Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, pattern := mux.Handler(r); pattern == "" {
			refuseControl(w, r, h)
			return
		}
		mux.ServeHTTP(w, r)
	}))
}

// refuseControl answers a request that does not exist in JSON. refuse is the answer of http.ServeMux, as text.
func refuseControl(w http.ResponseWriter, r *http.Request, refuse http.Handler) {
	answer := &statusOf{ResponseWriter: w}
	refuse.ServeHTTP(answer, r)
	code, message := "not-found", fmt.Sprintf("%s does not exist; the requests are GET health, POST reset, GET snapshot, POST and DELETE snapshot/NAME, and POST restore/NAME, below %s", r.URL.Path, controlPath)
	if answer.status == http.StatusMethodNotAllowed {
		code, message = "method-not-allowed", fmt.Sprintf("%s does not take %s, but %s", r.URL.Path, r.Method, w.Header().Get("Allow"))
	}
	writeControl(w, answer.status, controlError(code, message))
}

// statusOf keeps the status of an answer and lets go of its body.
type statusOf struct {
	http.ResponseWriter
	status int
}

func (w *statusOf) WriteHeader(status int)      { w.status = status }
func (w *statusOf) Write(p []byte) (int, error) { return len(p), nil }

func (s *Server) failControl(w http.ResponseWriter, err error) {
	status, code := http.StatusInternalServerError, "internal"
	switch {
	case errors.Is(err, ErrNoSnapshot):
		status, code = http.StatusNotFound, "snapshot-not-found"
	case errors.Is(err, ErrSnapshotName):
		status, code = http.StatusBadRequest, "snapshot-name"
	case errors.Is(err, ErrSnapshotDamaged):
		code = "snapshot-damaged"
	default:
		s.logger.Error("local ECR", "error", err)
	}
	writeControl(w, status, controlError(code, err.Error()))
}

func controlError(code, message string) any {
	return map[string]map[string]string{"error": {"code": code, "message": message}}
}

func writeControl(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // fails only when the client has gone
}
