// What gRPC has to say.
#ifndef CURLEW_COMMON_RPC_GRPC_LOG_H_
#define CURLEW_COMMON_RPC_GRPC_LOG_H_

namespace curlew::rpc {

// Who reads it.
enum class GrpcLog {
  kOurs,    // the log of a program that serves: its errors as warnings, ten a second at most
  kNobody,  // people, who are told of errors in other words
};

// Sends gRPC's own messages there from now on, in place of standard error; all of them go to standard error
// as ever where GRPC_VERBOSITY is set. To be called first of all.
void SendGrpcLog(GrpcLog to);

}  // namespace curlew::rpc

#endif  // CURLEW_COMMON_RPC_GRPC_LOG_H_
