// Package calls is one outgoing call: its rate ([Limits]), its retries ([Caller], [Policy]),
// its time limits ([Watched]) and its count ([Log]).
package calls
