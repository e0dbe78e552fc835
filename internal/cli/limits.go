package cli

import (
	"sync"

	"github.com/ecrkit/ecrkit/auth"
	"github.com/ecrkit/ecrkit/transfer/ecr"
)

// sharedLimits are the limits of the registries of one command.
type sharedLimits struct {
	mu       sync.Mutex
	byQuotas map[string]*ecr.Limits
}

// of gives the limits of a registry: Amazon ECR has quotas for each account and
// region, whatever the host is called.
func (s *sharedLimits) of(r auth.Registry) *ecr.Limits {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := r.Account + "." + r.Region
	l := s.byQuotas[key]
	if l == nil {
		if s.byQuotas == nil {
			s.byQuotas = map[string]*ecr.Limits{}
		}
		l = ecr.NewLimits()
		s.byQuotas[key] = l
	}
	return l
}
