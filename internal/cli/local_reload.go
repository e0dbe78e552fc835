package cli

import (
	"errors"
	"fmt"

	"github.com/ecrkit/ecrkit/localecr"
)

// reloadLocal reads the files of --faults, --quotas, --accounts, --scan-findings and --upstreams again, and says so.
func (app *App) reloadLocal(server *localecr.Server, f localFlags) {
	if err := app.reload(server, f); err != nil {
		app.Messagef("ecrkit local: SIGHUP: %v; what was read before stays", err)
	} else {
		app.Messagef("ecrkit local: SIGHUP: read faults, quotas, accounts, scan findings and upstreams again")
	}
}

// reload reads the files that flags name. One that is wrong changes nothing; the others count.
func (app *App) reload(server *localecr.Server, f localFlags) error {
	var errs []error
	if f.faults != "" {
		faults, err := readFile(app, f.faults, localecr.ReadFaults)
		if err == nil {
			err = ofFile(f.faults, server.SetFaults(faults...))
		}
		errs = append(errs, err)
	}
	if f.quotas != "off" && f.quotas != "default" {
		quotas, err := readFile(app, f.quotas, localecr.ReadQuotas)
		if err == nil {
			server.SetQuotas(quotas)
		}
		errs = append(errs, err)
	}
	if f.accounts != "" {
		accounts, err := app.readAccountsFile(f.accounts)
		if err == nil {
			err = ofFile(f.accounts, server.SetAccounts(accounts))
		}
		errs = append(errs, err)
	}
	if f.findings != "" {
		findings, err := localecr.LoadScanFindings(app.context(), f.findings)
		if err == nil {
			err = ofFile(f.findings, server.SetScanFindings(findings...))
		}
		errs = append(errs, err)
	}
	if f.upstreams != "" {
		upstreams, err := readFile(app, f.upstreams, localecr.ReadUpstreams)
		if err == nil {
			err = ofFile(f.upstreams, server.SetUpstreams(upstreams))
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// ofFile names the file that an error is about.
func ofFile(path string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
