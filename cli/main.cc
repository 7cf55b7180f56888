// curlew: what operators type.
#include <unistd.h>

#include <iostream>
#include <string>
#include <vector>

#include "cli/app.h"
#include "common/rpc/grpc_log.h"

int main(int argc, char** argv) {
  curlew::rpc::SendGrpcLog(curlew::rpc::GrpcLog::kNobody);
  curlew::cli::Context context(std::cout, std::cerr);
  context.terminal = curlew::cli::DetectTerminal(STDOUT_FILENO);
  context.flags = curlew::cli::DefaultFlags(curlew::cli::ReadEnvironment);
  const auto code = curlew::cli::Run(context, std::vector<std::string>(argv + 1, argv + argc));
  return static_cast<int>(code);
}
