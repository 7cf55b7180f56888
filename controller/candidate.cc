#include "controller/candidate.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/id.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/rpc/endpoint.h"

namespace curlew::controller {
namespace {

// Whoever has nothing to wait for looks again after this.
constexpr absl::Duration kLongestSleep = absl::Minutes(1);
// A port that is taken is tried for again.
constexpr absl::Duration kPortRetry = absl::Seconds(1);

// A path has no port.
std::string WithPort(const std::string& listen, int port) {
  if (port == 0) return listen;
  return absl::StrCat(listen.substr(0, listen.rfind(':')), ":", port);
}

}  // namespace

Candidate::Candidate(store::StoreLocation* location, const base::Clock* clock, CandidateOptions options,
                     std::function<void()> wake)
    : location_(location),
      clock_(clock),
      options_(std::move(options)),
      wake_(std::move(wake)),
      address_(options_.server.listen),
      backoff_(options_.retry, random_) {}

absl::StatusOr<std::unique_ptr<Candidate>> Candidate::Start(store::StoreLocation* location,
                                                            const base::Clock* clock,
                                                            CandidateOptions options,
                                                            std::function<void()> wake) {
  RETURN_IF_ERROR(options.server.transport->Check(options.server.listen));
  std::unique_ptr<Candidate> candidate(new Candidate(location, clock, std::move(options), std::move(wake)));
  // The lease names the port, so the port comes first; and whoever has it keeps it.
  if (absl::EndsWith(candidate->address_, ":0")) RETURN_IF_ERROR(candidate->StandBy());
  const store::LeaderIdentity identity = {
      .instance = base::RandomId(16),
      .address = candidate->options_.advertise.empty() ? candidate->address_ : candidate->options_.advertise};
  ASSIGN_OR_RETURN(auto lease, location->OpenLease(identity));
  candidate->keeper_ = std::make_unique<LeaseKeeper>(std::move(lease), candidate->wake_);
  const LeaseKeeper::View view = candidate->keeper_->First();
  RETURN_IF_ERROR(view.status);
  if (view.valid_for > absl::ZeroDuration()) {
    RETURN_IF_ERROR(candidate->Begin(view));
  } else {
    if (candidate->standby_ == nullptr) RETURN_IF_ERROR(candidate->StandBy());
    candidate->NameLeader(view);
  }
  return candidate;
}

Candidate::~Candidate() { Shutdown(); }

absl::Duration Candidate::Act() {
  if (keeper_ == nullptr) return kLongestSleep;
  LeaseKeeper::View view = keeper_->Look();
  if (server_ != nullptr) {
    const std::string why = Ends(view);
    if (why.empty()) return std::min(view.valid_for, kLongestSleep);
    End(why);
    view = keeper_->Look();
  }
  if (view.valid_for > absl::ZeroDuration()) {
    const absl::Status begun = Begin(view);
    if (begun.ok()) return absl::ZeroDuration();
    const absl::Duration pause = backoff_.Next();
    spdlog::error("{}", base::WithFields(
                            absl::StrCat("cannot lead: ", begun.message()),
                            {{"epoch", absl::StrCat(view.leadership.epoch)},
                             {"retry_in", absl::FormatDuration(absl::Trunc(pause, absl::Milliseconds(1)))}}));
    keeper_->Yield(pause);
    view = {};
  }
  if (standby_ == nullptr) {
    if (const absl::Status status = StandBy(); !status.ok()) {
      spdlog::error("{}", base::WithFields(absl::StrCat("cannot stand by: ", status.message()), {}));
      return kPortRetry;
    }
  }
  NameLeader(view);
  return kLongestSleep;
}

void Candidate::Shutdown() {
  if (server_ != nullptr) server_->Shutdown();
  server_.reset();
  store_.reset();
  standby_.reset();
  keeper_.reset();
}

std::string Candidate::Ends(const LeaseKeeper::View& view) const {
  const store::Leadership& leadership = view.leadership;
  if (!leadership.mine) {
    return leadership.address.empty() ? "another controller has taken the lease"
                                      : absl::StrCat("the controller at ", leadership.address, " leads");
  }
  if (leadership.epoch != epoch_) return "the lease was another's meanwhile";
  if (deposed_) return "the store refused a write, as another controller has led since";
  if (view.valid_for > absl::ZeroDuration()) return "";
  return absl::StrCat("the lease could not be renewed in time",
                      view.status.ok() ? "" : absl::StrCat(": ", view.status.message()));
}

absl::Status Candidate::Begin(const LeaseKeeper::View& view) {
  if (view.leadership.epoch <= refused_epoch_) {
    return absl::AbortedError("the store takes no writes of this epoch");
  }
  ASSIGN_OR_RETURN(auto store, location_->OpenStore(view.leadership.epoch));
  deposed_ = false;
  store_ = std::make_unique<FencedStore>(std::move(store), [this] {
    deposed_ = true;
    wake_();
  });
  options_.server.epoch = view.leadership.epoch;
  options_.server.before_listening = [this] { standby_.reset(); };
  auto server = Server::Start(store_.get(), clock_, options_.server);
  if (!server.ok()) {
    store_.reset();
    return server.status();
  }
  server_ = *std::move(server);
  epoch_ = view.leadership.epoch;
  address_ = WithPort(options_.server.listen, server_->port());
  named_.clear();
  backoff_.Reset();
  spdlog::info("{}", base::WithFields("leads", {{"epoch", absl::StrCat(epoch_)},
                                                {"address", address_},
                                                {"store", location_->Name()}}));
  return absl::OkStatus();
}

void Candidate::End(const std::string& why) {
  spdlog::warn("{}",
               base::WithFields(absl::StrCat("no longer leads: ", why), {{"epoch", absl::StrCat(epoch_)}}));
  server_->Shutdown("this controller does not lead any more");
  server_.reset();
  store_.reset();
  if (deposed_) refused_epoch_ = epoch_;
}

absl::Status Candidate::StandBy() {
  ASSIGN_OR_RETURN(standby_, StandbyServer::Start(options_.server.listen, *options_.server.transport,
                                                  options_.server.guard));
  address_ = WithPort(options_.server.listen, standby_->port());
  // Port 0 was any; from now on it is this one.
  options_.server.listen = address_;
  named_.clear();
  return absl::OkStatus();
}

void Candidate::NameLeader(const LeaseKeeper::View& view) {
  const std::string leader = view.leadership.mine ? "" : view.leadership.address;
  standby_->SetLeader(leader);
  const std::string named = leader.empty() ? "nobody known" : leader;
  if (std::exchange(named_, named) == named) return;
  spdlog::info("{}", base::WithFields("stands by", {{"leader", named}, {"address", address_}}));
}

}  // namespace curlew::controller
