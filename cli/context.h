// What verbs work with: global flags, outputs, the controller.
#ifndef CURLEW_CLI_CONTEXT_H_
#define CURLEW_CLI_CONTEXT_H_

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/client.h"
#include "cli/exit_code.h"
#include "cli/terminal.h"
#include "common/rpc/transport.h"

namespace curlew::cli {

// Flags that every verb understands.
struct GlobalFlags {
  // HOST:PORT of the controller, or of several with commas between.
  std::string controller = "127.0.0.1:7441";
  // How the way to the controller is secured.
  rpc::TransportOptions transport;
  // Where the bearer token stands that is shown with every call, or the token itself, which counts where
  // there is no file; or both empty.
  std::string token_file;
  std::string token;
  // Who acts, for the record.
  std::string actor;
  // Deadline of a call; watching has none.
  absl::Duration timeout = absl::Seconds(10);
};

// The defaults: CURLEW_CONTROLLER; CURLEW_TOKEN; CURLEW_ACTOR, else the name of the user.
GlobalFlags DefaultFlags(const Environment& environment);

// One invocation. Not thread-safe.
struct Context {
  // The streams must outlive the context.
  Context(std::ostream& out, std::ostream& err) : out(out), err(err) {}

  std::ostream& out;
  std::ostream& err;
  Terminal terminal;
  absl::TimeZone zone = absl::LocalTimeZone();
  GlobalFlags flags;
  // What the chosen verb does; set while the command line is read.
  std::function<absl::StatusOr<ExitCode>()> action;

  // The controller, owned by the context. Errors as Client::Make and rpc::Transport::Make; and where the file
  // of the token cannot be read, or every user may read it.
  absl::StatusOr<Client*> client();
  // Columns that tables may take; 0 for no limit.
  int width() const;

 private:
  std::unique_ptr<Client> client_;
};

}  // namespace curlew::cli

#endif  // CURLEW_CLI_CONTEXT_H_
