// Package retry decides whether and when a failed request is retried: one predicate ([Judge]) and one
// policy ([Policy]) for all requests of ecrkit. It knows the errors of networks and contexts. What the answers of
// a protocol mean, their errors declare themselves, see [Judge].
//
// It imports neither net/http nor an AWS SDK, so that the engine can use it.
package retry
