#include "controller/web/rpc_metrics.h"

#include <google/protobuf/descriptor.h>
#include <grpcpp/support/interceptor.h>
#include <grpcpp/support/server_interceptor.h>

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/macros.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

namespace curlew::web {
namespace {

// As absl::Status has them; a peer may send any number.
std::string CodeLabel(grpc::StatusCode code) {
  static constexpr const char* kNames[] = {
      "ok",        "cancelled",      "unknown",           "invalid_argument",   "deadline_exceeded",
      "not_found", "already_exists", "permission_denied", "resource_exhausted", "failed_precondition",
      "aborted",   "out_of_range",   "unimplemented",     "internal",           "unavailable",
      "data_loss", "unauthenticated"};
  const auto number = static_cast<size_t>(code);
  return number < ABSL_ARRAYSIZE(kNames) ? kNames[number] : "unknown";
}

}  // namespace

std::string MethodLabel(const std::string& method) {
  absl::string_view name = method;
  if (!absl::ConsumePrefix(&name, "/")) return "other";
  const std::string full = absl::StrReplaceAll(name, {{"/", "."}});
  const auto* found = google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(full);
  if (found == nullptr || found->file()->package() != "curlew.v1") return "other";
  return absl::StrCat(found->service()->name(), "/", found->name());
}

// One call, from its beginning until gRPC is done with it.
class RpcMetrics::Call : public grpc::experimental::Interceptor {
 public:
  Call(RpcMetrics* metrics, grpc::experimental::ServerRpcInfo* info)
      : metrics_(metrics),
        method_(MethodLabel(info->method())),
        unary_(info->type() == grpc::experimental::ServerRpcInfo::Type::UNARY) {
    metrics_->open_.Add({{"method", method_}}).Increment();
  }
  ~Call() override {
    metrics_->open_.Add({{"method", method_}}).Decrement();
    metrics_->calls_.Add({{"method", method_}, {"code", CodeLabel(code_)}}).Increment();
    // How long a stream is open says nothing of how fast it is answered.
    if (!unary_) return;
    metrics_->durations_.Add({{"method", method_}}, metrics::AnswerTimes())
        .Observe(absl::ToDoubleSeconds(absl::FromChrono(std::chrono::steady_clock::now() - begin_)));
  }

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      code_ = methods->GetSendStatus().error_code();
    }
    methods->Proceed();
  }

 private:
  RpcMetrics* const metrics_;
  const std::string method_;
  const bool unary_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  grpc::StatusCode code_ = grpc::StatusCode::CANCELLED;  // where it ends without a status
};

class RpcMetrics::Factory : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Factory(RpcMetrics* metrics) : metrics_(metrics) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo* info) override {
    return new Call(metrics_, info);
  }

 private:
  RpcMetrics* const metrics_;
};

RpcMetrics::RpcMetrics(metrics::Registry* registry)
    : calls_(registry->Counters("curlew_rpcs_total", "Calls that are over, by their code.")),
      durations_(registry->Histograms("curlew_rpc_duration_seconds",
                                      "How long calls took that have one answer; streams are not in it.")),
      open_(registry->Gauges("curlew_open_rpcs",
                             "Calls that are not over: streams of agents and watchers above all.")) {}

void RpcMetrics::AddTo(grpc::ServerBuilder* builder) {
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> factories;
  factories.push_back(std::make_unique<Factory>(this));
  builder->experimental().SetInterceptorCreators(std::move(factories));
}

}  // namespace curlew::web
