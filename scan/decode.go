package scan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ecrkit/ecrkit/internal/strictjson"
)

// Bounds of what is decoded. The largest image known to us has some 5,000 findings of
// 4 KiB each.
const (
	maxInput    = 128 << 20
	maxPages    = 10_000
	maxFindings = 200_000
)

// Decode reads the output of `aws ecr describe-image-scan-findings`: any number of JSON
// documents one after the other, each a page or a list of pages, of one image or of
// several. It returns a report for each image, in their order. An image of which a page
// is missing is an error that wraps ErrNoResult.
func Decode(r io.Reader) ([]Report, error) {
	pages, err := DecodePages(r)
	if err != nil {
		return nil, err
	}
	return Reports(pages...)
}

// DecodePages reads the same without putting the pages together, for pages that are in
// several files.
func DecodePages(r io.Reader) ([]Page, error) {
	limited := &io.LimitedReader{R: r, N: maxInput + 1}
	decoder := json.NewDecoder(limited)
	var pages []Page
	for {
		var document json.RawMessage
		err := decoder.Decode(&document)
		switch {
		case limited.N <= 0:
			return nil, fmt.Errorf("findings: more than %d MiB", maxInput>>20)
		case errors.Is(err, io.EOF) && len(pages) == 0:
			return nil, fmt.Errorf("findings: %w: the input is empty", ErrNoResult)
		case errors.Is(err, io.EOF):
			return pages, nil
		case err != nil:
			return nil, fmt.Errorf("findings: not the JSON of aws ecr describe-image-scan-findings: %w", err)
		}
		list := []json.RawMessage{document}
		if bytes.HasPrefix(document, []byte("[")) {
			if err := json.Unmarshal(document, &list); err != nil {
				return nil, fmt.Errorf("findings: %w", err)
			}
		}
		for _, one := range list {
			page, err := decodePage(one)
			if err != nil {
				return nil, fmt.Errorf("findings, page %d: %w", len(pages)+1, err)
			}
			if pages = append(pages, page); len(pages) > maxPages {
				return nil, fmt.Errorf("findings: more than %d pages", maxPages)
			}
		}
	}
}

// PageOf converts the response of an AWS SDK for DescribeImageScanFindings: any value whose
// fields have the names of the API.
func PageOf(response any) (Page, error) {
	data, err := json.Marshal(response)
	if err != nil {
		return Page{}, fmt.Errorf("findings: %w", err)
	}
	page, err := decodePage(data)
	if err != nil {
		return Page{}, fmt.Errorf("findings: %w", err)
	}
	return page, nil
}

func decodePage(data []byte) (Page, error) {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return Page{}, errors.New("it is not a JSON object")
	}
	var page Page
	if err := strictjson.Unmarshal(data, &page); err != nil {
		return Page{}, err
	}
	if page.ImageScanStatus != nil || page.ImageScanFindings != nil {
		return page, nil
	}
	var other struct{ ImageDetails json.RawMessage }
	if json.Unmarshal(data, &other) == nil && other.ImageDetails != nil {
		// The summary that DescribeImages has is not filled by all kinds of scans.
		return Page{}, errors.New("this is the output of describe-images, which has no findings; use aws ecr describe-image-scan-findings")
	}
	return Page{}, errors.New("it has neither imageScanStatus nor imageScanFindings; use the output of aws ecr describe-image-scan-findings")
}
