#include "controller/service/watch_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/rpc/error.h"
#include "common/rpc/peer_version.h"
#include "controller/service/call.h"
#include "controller/service/rollout_view.h"

namespace curlew::service {

void WatchStream::Start(grpc::CallbackServerContext* context, std::string rollout, int64_t after_event,
                        v1::RolloutView view) {
  self_ = shared_from_this();
  credential_ = access::Credential::Of(*context);
  if (const absl::Status status = rpc::CheckClientVersion(context); !status.ok()) {
    writes_.FinishNow(rpc::ToGrpc(status));
    return;
  }
  auto pass = door_.MayStream(credential_, 0);
  if (!pass.ok()) {
    writes_.FinishNow(rpc::ToGrpc(pass.status()));
    return;
  }
  pass_ = *std::move(pass);
  rollout_ = std::move(rollout);
  view_ = view;
  cursor_.event = after_event;
  if (!engine_->loop().Post([self = self_] { self->Begin(); })) {
    writes_.FinishNow(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the controller is shutting down"));
  }
}

void WatchStream::Begin() {
  if (rollout_ == "rollouts/") return End(Required("name", ""));
  if (cursor_.event < 0) {
    return End(
        BadField("after_event", absl::StrCat("after_event is ", cursor_.event, "; it must not be negative")));
  }
  // Who is nobody does not learn whether there is such a rollout.
  if (const auto caller = door_.Enter(credential_); !caller.ok()) return End(caller.status());
  const auto stored = engine_->rollouts().Get(rollout_);
  if (!stored.ok()) return End(stored.status());
  environments_ = EnvironmentsOf(stored->rollout);
  if (const absl::Status may = May(); !may.ok()) return End(may);
  engine_->rollouts().watches().Add(rollout_, this);
  Pump();
}

absl::Status WatchStream::May() const {
  ASSIGN_OR_RETURN(const access::Caller caller, door_.Enter(credential_));
  return caller.InAny(environments_);
}

void WatchStream::Changed() {
  if (std::exchange(pump_posted_, true)) return;
  engine_->loop().Post([self = shared_from_this()] {
    self->pump_posted_ = false;
    self->Pump();
  });
}

void WatchStream::End(const absl::Status& status) { writes_.FinishAfterQueue(rpc::ToGrpc(status)); }

void WatchStream::Pump() {
  if (writing_) return;
  if (const absl::Status may = May(); !may.ok()) return End(may);
  auto batch = engine_->rollouts().watches().Read(rollout_, &cursor_);
  if (!batch.ok()) return End(batch.status());
  writing_ = !batch->messages.empty();
  for (v1::WatchRolloutResponse& message : batch->messages) {
    if (message.has_rollout()) ApplyView(view_, message.mutable_rollout());
    writes_.Push(std::move(message));
  }
  if (batch->ended) End(absl::OkStatus());
}

void WatchStream::OnWriteDone(bool ok) {
  if (!writes_.OnWriteDone(ok)) return;
  engine_->loop().Post([self = self_] {
    self->writing_ = false;
    self->Pump();
  });
}

void WatchStream::OnDone() {
  engine_->loop().Post(
      [self = self_] { self->engine_->rollouts().watches().Remove(self->rollout_, self.get()); });
  pass_.reset();
  self_.reset();  // may end this object
}

}  // namespace curlew::service
