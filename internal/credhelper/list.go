package credhelper

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
)

// list prints our hosts and those of the fallback helper. If that one fails, ours
// alone are better than none.
func (p *program) list(ctx context.Context) (int, error) {
	hosts, err := p.helper(ctx).List()
	if err != nil {
		return 1, fmt.Errorf("ecr: %w", err)
	}
	if p.settings.Fallback != "" {
		var answer bytes.Buffer
		code, err := p.fallback(ctx, []byte("unused"), &answer)
		others := map[string]string{}
		switch {
		case err != nil:
			p.log.Warn(err.Error())
		case code != 0:
			p.log.Warn(fmt.Sprintf("docker-credential-%s list ended with exit code %d", p.settings.Fallback, code))
		case json.Unmarshal(answer.Bytes(), &others) != nil:
			p.log.Warn(fmt.Sprintf("docker-credential-%s list did not print a JSON object of strings", p.settings.Fallback))
		}
		maps.Copy(others, hosts)
		hosts = others
	}
	return 0, json.NewEncoder(p.stdout).Encode(hosts)
}
