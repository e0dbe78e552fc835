package mirror

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/ecrkit/ecrkit/internal/strictjson"
)

// ErrNoPlan reports that a document is not a plan.
var ErrNoPlan = errors.New("not a mirror plan")

// ParsePlan reads a plan that was written as JSON. The error wraps [ErrNoPlan] if it is something else,
// such as a configuration. A plan that lists other changes than those of its hash was edited, which is an error: people
// read the list, and what is done is what [Plan.Check] makes again of the configuration.
func ParsePlan(data []byte) (Plan, error) {
	var kind struct {
		Hash *string `json:"hash"`
	}
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) || json.Unmarshal(data, &kind) != nil || kind.Hash == nil {
		return Plan{}, ErrNoPlan
	}
	var p Plan
	if err := strictjson.Unmarshal(data, &p); err != nil {
		return Plan{}, err
	}
	if err := p.Config.Validate(); err != nil {
		return Plan{}, err
	}
	if now := p.hash(); now != p.Hash {
		return Plan{}, fmt.Errorf("the plan was edited: its hash is %s, and that of the changes that it lists %s; make a new one", p.Hash, now)
	}
	return p, nil
}
