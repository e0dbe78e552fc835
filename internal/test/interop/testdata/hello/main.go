// Hello is the program of the images that the interoperability tests make: it prints the image's /content.
package main

import (
	"fmt"
	"os"
)

func main() {
	content, err := os.ReadFile("/content")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Stdout.Write(content)
}
