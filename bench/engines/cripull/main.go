// Cripull pulls an image as the kubelet does: by the image service of containerd's CRI plugin.
//
//	cripull SOCKET IMAGE
package main

import (
	"context"
	"fmt"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func main() {
	connection, err := grpc.NewClient("unix://"+os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err == nil {
		defer connection.Close()
		var pulled *runtime.PullImageResponse
		pulled, err = runtime.NewImageServiceClient(connection).PullImage(context.Background(), &runtime.PullImageRequest{Image: &runtime.ImageSpec{Image: os.Args[2]}})
		if err == nil {
			fmt.Println(pulled.ImageRef)
			return
		}
	}
	fmt.Fprintln(os.Stderr, "cripull:", err)
	os.Exit(1)
}
