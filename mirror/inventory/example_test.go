package inventory_test

import (
	"fmt"
	"strings"

	"github.com/ecrkit/ecrkit/mirror/inventory"
)

func Example() {
	layer := "sha256:" + strings.Repeat("1", 64)
	have, err := inventory.Read(strings.NewReader(`{"version":1,"repositories":{"web":["` + layer + `"]},"borrows":true}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	there := inventory.NewHoldings([]inventory.Inventory{have}).Blobs
	for _, d := range have.Repositories["web"] {
		fmt.Println(there.Has("web", d), there.Reaches("db", d), there.From("db", d))
	}
	// Output: true true web
}
