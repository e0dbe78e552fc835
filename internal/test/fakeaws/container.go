package fakeaws

import (
	"crypto/subtle"
	"net/http"
	"sync"
	"time"
)

// A Task is who gets credentials from the container endpoint, and for what.
type Task struct {
	Principal string // of the credentials
	// Path is that of the request, such as /v2/credentials/1; "" is any.
	Path string
	// Authorization is the header that must be there, exactly; "" asks for none.
	Authorization string
	// Subject asks for a JSON web token in the header instead, of this subject and not expired: EKS
	// Pod Identity.
	Subject string
}

// Container is the credentials endpoint of ECS tasks and EKS pods:
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html.
type Container struct {
	Server
	principals *Principals

	mu    sync.Mutex
	tasks []Task
	held  map[Task]*held
}

// NewContainer makes an endpoint without tasks for the principals of a table.
func NewContainer(p *Principals) *Container {
	s := &Container{principals: p, held: map[Task]*held{}}
	s.setup("container credentials", s, p.now)
	return s
}

// SetTasks replaces the tasks. The first that fits a request answers it.
func (s *Container) SetTasks(tasks ...Task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tasks, s.held = append([]Task(nil), tasks...), map[Task]*held{}
}

// Rotate replaces the access keys of all tasks; the principals stay.
func (s *Container) Rotate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = map[Task]*held{}
}

// ServeHTTP serves the operation GetCredentials at any path.
func (s *Container) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.call(w, r, "GetCredentials", failContainer, func([]byte) *refusal {
		if r.Method != http.MethodGet {
			return refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "only GET is allowed")
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		refused := refuse(http.StatusBadRequest, "InvalidIdInRequest", "CredentialsV2Request: Credentials not found")
		for _, task := range s.tasks {
			if task.Path != "" && task.Path != r.URL.Path {
				continue
			}
			if !s.admits(task, r.Header.Get("Authorization")) {
				refused = refuse(http.StatusUnauthorized, "AccessDeniedException", "the Authorization header is missing, wrong, or has expired")
				continue
			}
			s.answer(w, task)
			return nil
		}
		return refused
	})
}

func (s *Container) admits(task Task, authorization string) bool {
	if task.Subject != "" {
		claims, err := ReadJWT(authorization)
		return err == nil && claims.Subject == task.Subject && s.now().Before(claims.ExpiresAt)
	}
	return task.Authorization == "" || subtle.ConstantTimeCompare([]byte(task.Authorization), []byte(authorization)) == 1
}

func (s *Container) answer(w http.ResponseWriter, task Task) {
	if s.held[task] == nil {
		s.held[task] = &held{}
	}
	c := s.held[task].get(s.principals, task.Principal, 6*time.Hour)
	writeJSON(w, "application/json", http.StatusOK, map[string]string{
		"RoleArn": "arn:aws:iam::" + Account + ":role/container", "AccessKeyId": c.AccessKeyID,
		"SecretAccessKey": c.SecretAccessKey, "Token": c.SessionToken, "Expiration": awsTime(c.Expires),
	})
}

// failContainer is an error of the ECS agent.
func failContainer(w http.ResponseWriter, e *refusal) {
	writeJSON(w, "application/json", e.status, map[string]any{"code": e.code, "message": e.message, "HTTPErrorCode": e.status})
}
