package awscalls

import (
	"context"
	"fmt"
	"reflect"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"

	"github.com/ecrkit/ecrkit/internal/calls/retry"
)

// neededMember is the member of an answer of IAM Identity Center that the SDK reads without looking whether it is there. The
// other answers with credentials it checks.
const neededMember = "RoleCredentials"

// NeedCredentials has the clients that are made with these API options of the SDK refuse an answer without the
// credentials that were asked for. The SDK would panic, in a goroutine of its own.
func NeedCredentials(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("EcrkitNeedCredentials", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleInitialize(ctx, in)
		if err == nil && lacksMember(out.Result) {
			err = retry.As(retry.Final, fmt.Errorf("the answer of %s to %s has no %s", awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx), neededMember))
		}
		return out, metadata, err
	}), middleware.After)
}

// lacksMember reports whether a result of the SDK has the needed member, and that is nil.
func lacksMember(result any) bool {
	v := reflect.Indirect(reflect.ValueOf(result))
	if v.Kind() != reflect.Struct {
		return false
	}
	member := v.FieldByName(neededMember)
	return member.Kind() == reflect.Pointer && member.IsNil()
}
