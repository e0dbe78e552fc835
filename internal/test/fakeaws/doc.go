// Package fakeaws is what a credential helper meets of AWS, on loopback: who it may be (IAM Identity
// Center, instance metadata, the credentials endpoint of ECS and EKS, STS) and what it asks for
// (authorization tokens of ECR and ECR Public). Every call is counted, can be delayed and can fail,
// and every token tells for which principal it was minted:
//
//	world := fakeaws.Start(t, fakeaws.Options{})
//	keys := world.Principals.User("alice")
//	cmd.Env = world.Env(home, keys.Env()...)
//	…
//	fakeaws.Principal(secret)                   // "user/alice"
//	world.ECR.Count("GetAuthorizationToken")    // 1
//	world.Connections()                         // how many TCP connections all of it took
//
// It is strict in what it asks of a request, but it checks no signature: package localecr does that.
//
// # Principals
//
// All services issue their access keys from one table, [Principals], and so a token minted with keys
// that come from any chain of them names the whole chain:
//
//	user/A                     a long-term key
//	role/X<user/A              AssumeRole of X by A
//	role/X[ext=1]<user/A       … with the external ID 1
//	role/Y<role/X<user/A       … and Y by that session
//	webid/X/SUBJECT            AssumeRoleWithWebIdentity of X
//	sso/ACCOUNT/ROLE/USER      a role of IAM Identity Center
//	imds/ROLE                  the role of an EC2 instance
//	task/1                     whatever a [Task] of the container endpoint says
//
// A role of another account than [Account] is written ACCOUNT:X, a subject of another issuer than
// [Issuer] ISSUER#SUBJECT.
//
// # Clock
//
// [Options.Now] is the time of all the services: keys and tokens expire by it, and the header Date of
// every answer is taken from it.
package fakeaws

// Account is the account of roles that are written without one.
const Account = "123456789012"

// Issuer is the issuer of web identity tokens that is not written.
const Issuer = "https://oidc.example.com"
