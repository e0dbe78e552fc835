package localecr

import (
	"context"
	"log/slog"
	"time"

	"github.com/ecrkit/ecrkit/localecr/internal/authority"
)

// How long things take by the server's clock, unless Options say otherwise. AWS documents only that none of them is done
// at once, and that restoring an image may take up to 20 minutes.
const (
	DefaultURLLifetime = time.Hour        // until a pre-signed URL expires
	DefaultSigningTime = 3 * time.Second  // managed signing of an image
	DefaultPreviewTime = 3 * time.Second  // preview of a lifecycle policy
	DefaultRestoreTime = 20 * time.Second // restoring an image from the archive
	DefaultScanTime    = 3 * time.Second  // scan of an image
	// DefaultReplicationTime is until a pushed image is at a destination of replication. AWS: most images in less than
	// 30 minutes.
	DefaultReplicationTime = 3 * time.Second
)

// The files in Options.TLSDir.
const (
	CAFile       = authority.CAFile       // the certificate of the authority, in PEM
	CABundleFile = authority.CABundleFile // the certificates that the machine trusts, and that of the authority
)

// Options of a server. The zero value is a server with the default account, an empty temporary store, no quotas and no
// faults.
type Options struct {
	Dir         string        // of the store; "" for a temporary one that Close removes
	Accounts    []Account     // default DefaultAccounts(); the default registry is the first one's
	Clock       *Clock        // the server's clock; default the machine's time
	Limits      *Limits       // default DefaultLimits()
	Quotas      Quotas        // default none
	Faults      []Fault       // scripted failures; see also Server.SetFaults
	QuirksOff   []Quirk       // quirks that the server does not have
	Audit       Audit         // receives every call; default none
	Shape       NetworkShape  // latency and rate of every connection that Start or Listen accepts
	URLLifetime time.Duration // default DefaultURLLifetime
	SigningTime time.Duration // default DefaultSigningTime
	PreviewTime time.Duration // default DefaultPreviewTime
	RestoreTime time.Duration // default DefaultRestoreTime
	ScanTime    time.Duration // of a scan whose fixture has no steps; default DefaultScanTime
	// ReplicationTime is until a pushed image is at a destination of replication; default DefaultReplicationTime.
	ReplicationTime time.Duration
	// Upstreams are the registries that pull-through cache rules read from.
	Upstreams Upstreams
	// ScanFindings are what scans find. The fixture with an image's digest is preferred to the first one that matches
	// the image. The scan of an image without a fixture finds nothing. See also Server.SetScanFindings.
	ScanFindings []ScanFixture
	// DownloadAddr is where Listen listens for downloads, HOST:PORT; default a free port of the same host. [SamePort] serves
	// them on the port of everything else, as a container needs whose port is published under another number. A server that
	// is used as a handler serves downloads itself, under the host name of the request for the URL.
	DownloadAddr string
	// HostNames are further names, without port, by which clients call the server on a loopback address, such as
	// host.docker.internal. There it answers only to IP addresses, localhost and the names below it, the names of Amazon
	// ECR and these, since any other name may be that of a web page that was made to lead there. On other addresses it
	// answers to any name.
	HostNames []string
	// TLSDir, unless empty, makes the ports answer to HTTPS too, with certificates of an authority in this directory: the
	// one there, or a new one. Clients trust [CAFile], or take [CABundleFile].
	TLSDir string
	// Seed puts in what the server begins with. [Server.Seed] and [Server.Reset] call it; New does not.
	Seed func(context.Context, *Server) error
	// Sync makes all that is acknowledged survive a loss of power, if the disk keeps what it has confirmed. Each change then
	// waits for the disk. Without it, a loss of power can damage the store.
	Sync   bool
	Logger *slog.Logger // receives failures of the server itself; default none
}
