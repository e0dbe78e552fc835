package cli

import (
	"strings"
	"testing"
)

func FuzzProviderRequest(f *testing.F) {
	f.Add(`{"apiVersion":"credentialprovider.kubelet.k8s.io/v1","kind":"CredentialProviderRequest","image":"x"}`)
	f.Add(`{}`)
	f.Add(`[`)
	f.Fuzz(func(t *testing.T, text string) {
		request, err := readProviderRequest(strings.NewReader(text))
		if err == nil && (request.Image == "" || request.APIVersion != kubeletAPI) {
			t.Fatalf("%q: %+v", text, request)
		}
	})
}
