// The controller's server: engine, sessions and services behind one port.
#ifndef CURLEW_CONTROLLER_SERVER_H_
#define CURLEW_CONTROLLER_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/rpc/acceptor.h"
#include "common/rpc/transport.h"
#include "controller/access/guard.h"
#include "controller/access/token_table.h"
#include "controller/audit/signer.h"
#include "controller/checks/http_check_runner.h"
#include "controller/dispatch/engine.h"
#include "controller/dispatch/event_retention.h"
#include "controller/health_server.h"
#include "controller/limits/limiter.h"
#include "controller/notification_relay.h"
#include "controller/notify/sender.h"
#include "controller/service/audit_service.h"
#include "controller/service/plan_service.h"
#include "controller/service/rollout_service.h"
#include "controller/service/target_service.h"
#include "controller/service/token_service.h"
#include "controller/session/session_manager.h"
#include "controller/session/session_service.h"
#include "controller/store/rollout_store.h"
#include "controller/web/controller_metrics.h"

namespace curlew::controller {

// Settings of a server.
struct ServerOptions {
  std::string listen;  // "127.0.0.1:7441"; port 0 for any free one
  // How connections are secured. Not owned.
  const rpc::Transport* transport = &rpc::Transport::Plain();
  // Who may do what. Not owned.
  const access::Guard* guard = &access::Guard::Open();
  // The tokens that the guard judges by, loaded for as long as it leads; null where none are taken. Not
  // owned.
  access::TokenTable* tokens = nullptr;
  // How much each may ask for. Not owned.
  limits::Limiter* limiter = &limits::Limiter::Off();
  // Where it names no runner of checks, the server's own makes those over HTTP.
  dispatch::EngineOptions engine;
  session::SessionOptions session;
  dispatch::EventRetention::Options events;
  // How long a farewell may take: what is open after it is cut off.
  absl::Duration drain_deadline = absl::Seconds(5);
  // Called when all is loaded, just before the port is taken: whoever has it until then gives it up.
  std::function<void()> before_listening;
  // Is told of the term, its store and its calls; null for nobody. Not owned.
  web::ControllerMetrics* metrics = nullptr;
  // Watches the loop while it leads; null for nobody. Not owned.
  HealthServer* health = nullptr;
  // Signs the head of the audit log; null for nobody. Not owned.
  const audit::HeadSigner* audit_signer = nullptr;
  // Takes what is to be told to its receivers; null where nobody is told. Not owned.
  notify::Sender* notifications = nullptr;
  // Number of the term, for the metrics.
  int64_t epoch = 0;
};

// A running controller that leads, with the health and reflection services: "" and rpc::kLeaderService are
// SERVING. Thread-safe.
class Server {
 public:
  // Loads the store and begins to listen. `store` and `clock` must outlive the server. FAILED_PRECONDITION
  // for plain text on an address that is not on the loopback interface; UNAVAILABLE where the port cannot be
  // had; fails as the store does.
  static absl::StatusOr<std::unique_ptr<Server>> Start(store::RolloutStore* store, const base::Clock* clock,
                                                       ServerOptions options);
  // Shuts down.
  ~Server();

  // The port that it listens on.
  int port() const { return port_; }

  // Says so on the health service, asks agents to come again, ends watchers with UNAVAILABLE and `why`,
  // answers the calls that are open, and stops. What is open after drain_deadline is cut off, also where the
  // store hangs. What rollouts do goes on from the store at the next start, here or elsewhere. Idempotent.
  void Shutdown(absl::string_view why = "the controller is shutting down");

 private:
  Server(store::RolloutStore* store, const base::Clock* clock, ServerOptions options);
  absl::Status Serve();

  const ServerOptions options_;
  checks::HttpCheckRunner check_runner_;  // stopped before the engine goes, which its answers go to
  const std::unique_ptr<store::RolloutStore> metered_;  // null without metrics
  dispatch::Engine engine_;
  dispatch::EventRetention retention_;
  std::unique_ptr<NotificationRelay> relay_;  // null where nobody is told
  session::SessionManager sessions_;
  session::SessionService agent_service_;
  service::PlanService plan_service_;
  service::RolloutService rollout_service_;
  service::TargetService target_service_;
  service::EnvironmentService environment_service_;
  service::AuditService audit_service_;
  service::TokenService token_service_;
  std::unique_ptr<rpc::AcceptingServer> server_;
  int port_ = 0;
};

}  // namespace curlew::controller

#endif  // CURLEW_CONTROLLER_SERVER_H_
