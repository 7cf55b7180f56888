#include <algorithm>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "cli/exit_code.h"
#include "cli/files.h"
#include "cli/key_view.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/pki_view.h"
#include "cli/plan_submit.h"
#include "cli/sign_options.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/pki/files.h"
#include "common/plan/plan_reader.h"
#include "common/plan/scalar.h"
#include "common/signing/statements.h"
#include "google/protobuf/util/json_util.h"

namespace curlew::cli {
namespace {

struct Options {
  std::string plan, key, environment, not_before, out, signature;
  std::vector<std::string> targets;
  absl::Duration expires = absl::Hours(7 * 24);
  std::string output = "table";
};

// Whose clock goes after this one's is not kept from beginning.
constexpr absl::Duration kClockSkew = absl::Minutes(5);
constexpr size_t kLargestSignature = 1 << 20;

// What is to be signed, read from a file, or from the controller; its digest is computed here in any case.
struct LoadedPlan {
  v1::Plan plan;
  std::string digest;
  std::string name;  // resource name, where it is stored; "" else
};
absl::StatusOr<LoadedPlan> Load(Context& context, const std::string& plan) {
  LoadedPlan loaded;
  if (MeansFile(plan)) {
    ASSIGN_OR_RETURN(loaded.plan, ReadPlanFile(plan));
    loaded.digest = plan::Digest(loaded.plan);
    return loaded;
  }
  ASSIGN_OR_RETURN(Client * client, context.client());
  v1::GetPlanRequest request;
  request.set_name(PlanName(plan));
  ASSIGN_OR_RETURN(const v1::StoredPlan stored, client->Call(&v1::PlanService::Stub::GetPlan, request));
  loaded.plan = stored.plan();
  loaded.name = stored.name();
  loaded.digest = plan::Digest(loaded.plan);
  if (loaded.digest == stored.digest()) return loaded;
  return base::WithDetail(
      absl::DataLossError(absl::StrCat("the controller says that ", stored.name(), " has digest ",
                                       stored.digest(), ", but what it has sent has ", loaded.digest,
                                       "; nothing was signed")),
      base::kHint, "sign the file that was reviewed; compare the versions of curlew and of the controller");
}

absl::Status CheckSignable(const v1::Plan& plan) {
  if (plan.checks().empty()) return absl::OkStatus();
  return base::WithDetail(absl::FailedPreconditionError(
                              absl::StrCat("plan ", plan.name(),
                                           " has checks with SQL of their own, which agents that ask for "
                                           "signatures never make: such a plan is not signed")),
                          base::kHint,
                          "give the checks names in the configuration of the agents (checks:), name those in "
                          "the environments, and "
                          "take `checks` out of the plan");
}

absl::StatusOr<std::vector<std::string>> Targets(Context& context, const Options& options) {
  std::vector<std::string> targets;
  for (const std::string& target : options.targets) targets.push_back(Bare(target));
  if (targets.empty()) {
    ASSIGN_OR_RETURN(Client * client, context.client());
    v1::ListTargetsRequest request;
    request.set_environment(EnvironmentName(options.environment));
    ASSIGN_OR_RETURN(const v1::ListTargetsResponse list,
                     CallAllPages(*client, &v1::TargetService::Stub::ListTargets, request));
    for (const v1::Target& target : list.targets()) targets.push_back(Bare(target.name()));
    if (targets.empty()) {
      return base::WithDetail(
          absl::NotFoundError(absl::StrCat("environment ", Bare(options.environment), " has no targets")),
          base::kHint, "curlew env list shows all environments; or name targets with --target");
    }
  }
  std::sort(targets.begin(), targets.end());
  targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
  return targets;
}

absl::StatusOr<v1::PlanSignature> Sign(Context& context, const Options& options, const LoadedPlan& loaded) {
  if (options.key.empty() || options.environment.empty()) {
    const absl::Status missing = absl::InvalidArgumentError(absl::StrCat(
        options.key.empty() ? "--key" : "--environment", " is missing: who signs, and for where?"));
    return base::WithDetail(
        base::WithDetail(missing, base::kReason, kUsageReason), base::kHint,
        "give --key FILE (curlew key create makes one) and --environment NAME; or --signature FILE");
  }
  ASSIGN_OR_RETURN(const signing::SigningKey key, signing::SigningKey::Load(options.key));
  const absl::Time now = absl::Now();
  v1::PlanStatement statement;
  statement.set_id(NewStatementId());
  statement.set_plan_digest(loaded.digest);
  statement.set_environment(Bare(options.environment));
  ASSIGN_OR_RETURN(const std::vector<std::string> targets, Targets(context, options));
  statement.mutable_targets()->Assign(targets.begin(), targets.end());
  absl::Time begin = now;
  *statement.mutable_not_before() = StatementTime(now - kClockSkew);
  if (!options.not_before.empty()) {
    auto given = plan::ParseTimestamp(options.not_before);
    if (!given.ok()) return base::Annotate(given.status(), "--not-before");
    *statement.mutable_not_before() = *given;
    begin = std::max(now, base::FromProto(*given));
  }
  *statement.mutable_expire_time() = StatementTime(begin + options.expires);
  RETURN_IF_ERROR(signing::CheckForm(statement));
  return signing::Sign(key, statement);
}

// A signature that was made elsewhere.
absl::StatusOr<v1::PlanSignature> Read(const std::string& path, const LoadedPlan& loaded) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kLargestSignature));
  v1::PlanSignature signature;
  const auto read = google::protobuf::util::JsonStringToMessage(text, &signature);
  const auto key = read.ok()
                       ? signing::Verify(signature)
                       : absl::InvalidArgumentError(absl::StrCat("it is none: ", read.message().ToString()));
  constexpr absl::string_view kMade = "take what `curlew plan sign --out FILE` has written, as it is";
  if (!key.ok()) {
    return base::WithDetail(base::Annotate(key.status(), absl::StrCat("signature ", path)), base::kHint,
                            kMade);
  }
  if (signature.statement().plan_digest() == loaded.digest) return signature;
  return base::WithDetail(
      absl::InvalidArgumentError(absl::StrCat(path, " is the signature of another plan, with digest ",
                                              signature.statement().plan_digest(), ", not ", loaded.digest)),
      base::kHint, "name the plan that was signed; a plan that was changed since is signed again");
}

void Print(Context& context, const LoadedPlan& loaded, const v1::PlanSignature& signature) {
  const v1::PlanStatement& statement = signature.statement();
  context.out << Printable(Structured(loaded.plan, "yaml"), LineEnds::kKeep) << "\n"
              << "signed       this plan, " << Printable(loaded.plan.name()) << "\n"
              << "digest       " << loaded.digest << "\n"
              << "environment  " << Printable(statement.environment()) << "\n"
              << "targets      " << Printable(absl::StrJoin(statement.targets(), ", ")) << "\n"
              << "begins once  on each of them, "
              << Validity(base::FromProto(statement.not_before()), base::FromProto(statement.expire_time()),
                          absl::Now())
              << "\n"
              << "by key       " << ShortKeyId(signature.public_key()) << "\n";
}

absl::StatusOr<ExitCode> Do(Context& context, const Options& options) {
  ASSIGN_OR_RETURN(LoadedPlan loaded, Load(context, options.plan));
  RETURN_IF_ERROR(CheckSignable(loaded.plan));
  ASSIGN_OR_RETURN(const v1::PlanSignature signature, options.signature.empty()
                                                          ? Sign(context, options, loaded)
                                                          : Read(options.signature, loaded));
  if (options.output == "table") Print(context, loaded, signature);
  if (!options.out.empty()) {
    constexpr mode_t kEverybody = 0644;
    RETURN_IF_ERROR(pki::WriteNew(options.out, ToJson(signature), {.mode = kEverybody}));
    if (options.output != "table") context.out << Structured(signature, options.output);
    if (options.output == "table") {
      context.out << "next: curlew plan sign " << Printable(options.plan) << " --signature "
                  << Printable(options.out) << ", where the controller can be reached\n";
    }
    return ExitCode::kOk;
  }
  if (loaded.name.empty()) {
    ASSIGN_OR_RETURN(const v1::StoredPlan stored, SubmitPlan(context, loaded.plan, loaded.digest));
    loaded.name = stored.name();
  }
  ASSIGN_OR_RETURN(Client * client, context.client());
  v1::AddPlanSignatureRequest request;
  request.set_name(loaded.name);
  *request.mutable_signature() = signature;
  request.set_actor(context.flags.actor);
  ASSIGN_OR_RETURN(const v1::StoredPlan stored,
                   client->Call(&v1::PlanService::Stub::AddPlanSignature, request));
  if (options.output == "table") {
    context.out << "kept with    " << Printable(stored.name()) << "\n";
  } else {
    context.out << Structured(stored, options.output);
  }
  return ExitCode::kOk;
}

}  // namespace

void AddPlanSign(CLI::App& group, Context& context) {
  auto options = std::make_shared<Options>();
  const VerbInfo info = {
      "sign", "Sign a plan, for agents that run signed plans alone",
      "Says with your key that this very plan may be run, once on each of these targets, if it begins within "
      "a "
      "time. The plan is printed as it is signed: read it. The controller keeps the signature with the plan, "
      "and sends it to the agents; it can make none itself. A plan in a file is stored first. On a machine "
      "that "
      "reaches no controller, --out writes the signature to a file, and --signature sends it from elsewhere. "
      "docs/signed-plans.md says what agents check.",
      "# For all targets of production, to begin within a week\n"
      "curlew plan sign add-phone.yaml --key alice.pem --environment production\n"
      "# For one of them, in the night of Saturday\n"
      "curlew plan sign add-phone.yaml --key alice.pem --environment production --target crm-1 "
      "--not-before 2027-01-09T22:00:00Z --expires 6h\n"
      "# A rollout stands because its plan is not signed\n"
      "curlew plan sign plans/add-phone-0123456789ab --key alice.pem --environment production\n"
      "curlew rollout resume add-phone-1\n"
      "# The key is on a machine without a network\n"
      "curlew plan sign add-phone.yaml --key alice.pem --environment production --target crm-1 --out s.json\n"
      "curlew plan sign add-phone.yaml --signature s.json"};
  CLI::App* verb = AddVerb(group, context, info, [&context, options] { return Do(context, *options); });
  AddArgument(*verb, kPlanOrFileType, options->plan, "A stored plan, or a plan in YAML");
  CLI::Option* key =
      verb->add_option("--key", options->key, "The private key to sign with")->type_name(kFileType);
  CLI::Option* environment =
      verb->add_option("--environment", options->environment, "The environment that it may be run in")
          ->type_name(kEnvironmentType);
  CLI::Option* target = AddRepeated(*verb, "--target", kTargetType, options->targets,
                                    "A target that it may be run on; may be repeated (default: all of the "
                                    "environment)");
  CLI::Option* expires =
      AddOptionalDuration(*verb, "--expires", options->expires,
                          "How long a run may begin by it; what has begun goes on (default: 7d)");
  CLI::Option* not_before = verb->add_option("--not-before", options->not_before,
                                             "From when on a run may begin by it (default: now)")
                                ->type_name("TIME");
  CLI::Option* out =
      verb->add_option("--out", options->out, "Write the signature to this new file, and send nothing")
          ->type_name(kFileType);
  CLI::Option* signature = verb->add_option("--signature", options->signature,
                                            "Send the signature in this file, which --out has made")
                               ->type_name(kFileType);
  for (CLI::Option* other : {key, environment, target, expires, not_before, out}) signature->excludes(other);
  AddOutput(*verb, {"table", "json", "yaml"}, options->output);
}

}  // namespace curlew::cli
