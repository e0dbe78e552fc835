// Package mirror copies many images as one plan: which tags of which repositories go where, what of
// them is missing there, and what it costs. [Config] is what people write, [NewPlan] compares sources
// with destinations, [Apply] does what a plan says.
//
//	config, err := mirror.ReadConfig(file, os.LookupEnv)
//	plan, err := mirror.NewPlan(ctx, config, opener, mirror.Options{})
//	report, err := mirror.Apply(ctx, plan, opener, mirror.Options{})
//
// A plan changes nothing. Nothing is deleted at a destination unless [Options.Prune] asks for it, and a
// tag that exists there is moved only if [Config.Existing] is [Overwrite]. An image arrives byte for byte
// with the guarantees of [transfer.Copy].
package mirror
