#include "controller/access/policy.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/pki/identity.h"
#include "controller/access/token_table.h"
#include "yaml-cpp/yaml.h"

namespace curlew::access {
namespace {

constexpr char kAll[] = "*";
constexpr absl::string_view kUriPrefix = "spiffe://";
constexpr absl::string_view kCommonNamePrefix = "cn:";

}  // namespace

absl::string_view Word(Role role) {
  switch (role) {
    case Role::kViewer:
      return "viewer";
    case Role::kAuthor:
      return "author";
    case Role::kOperator:
      return "operator";
    case Role::kApprover:
      return "approver";
    case Role::kAdmin:
      return "admin";
  }
  return "";
}

bool Includes(Role role, Role wanted) {
  return role == wanted || role == Role::kAdmin || wanted == Role::kViewer;
}

// Reads one file.
class PolicyReader {
 public:
  explicit PolicyReader(absl::string_view trust_domain) : policy_(trust_domain) {}

  absl::StatusOr<Policy> Read(absl::string_view text) {
    YAML::Node root;
    try {
      root = YAML::Load(std::string(text));
    } catch (const YAML::Exception& error) {
      return Error(error.mark, error.msg);
    }
    RETURN_IF_ERROR(ReadFields(
        root, "the access file",
        {{"roles", [this](const YAML::Node& node) { return Each(node, "roles", &PolicyReader::ReadRole); }},
         {"agents",
          [this](const YAML::Node& node) { return Each(node, "agents", &PolicyReader::ReadAgent); }}}));
    if (policy_.grants_.empty()) return Error(root.Mark(), "nobody has a role: \"roles\" has no entry");
    return std::move(policy_);
  }

 private:
  using Field = std::function<absl::Status(const YAML::Node&)>;

  static absl::Status Error(const YAML::Mark& mark, absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("line ", std::max(0, mark.line) + 1, ", column ",
                                                   std::max(0, mark.column) + 1, ": ", what));
  }

  static absl::Status ReadFields(const YAML::Node& node, absl::string_view where,
                                 const std::map<std::string, Field>& fields) {
    if (!node.IsMap()) return Error(node.Mark(), absl::StrCat(where, " has to be lines of KEY: VALUE"));
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      const auto field = fields.find(key);
      if (field == fields.end()) {
        return Error(entry.first.Mark(),
                     absl::StrCat("unknown key \"", key, "\" in ", where, "; it has: ",
                                  absl::StrJoin(fields, ", ", [](std::string* out, const auto& f) {
                                    out->append(f.first);
                                  })));
      }
      if (!seen.insert(key).second) {
        return Error(entry.first.Mark(), absl::StrCat("\"", key, "\" is given twice in ", where));
      }
      RETURN_IF_ERROR(field->second(entry.second));
    }
    return absl::OkStatus();
  }

  absl::Status Each(const YAML::Node& node, absl::string_view what,
                    absl::Status (PolicyReader::*read)(const YAML::Node&)) {
    if (!node.IsSequence())
      return Error(node.Mark(), absl::StrCat("\"", what, "\" has to be a list (lines of \"- \")"));
    for (const YAML::Node& item : node) RETURN_IF_ERROR((this->*read)(item));
    return absl::OkStatus();
  }

  // A list of names, which `name` reads.
  static Field Names(std::set<std::string>* names, absl::string_view what,
                     std::function<absl::StatusOr<std::string>(const std::string&)> name) {
    return [names, what = std::string(what), name = std::move(name)](const YAML::Node& node) -> absl::Status {
      if (!node.IsSequence() || node.size() == 0) {
        return Error(node.Mark(),
                     absl::StrCat("\"", what, "\" has to be a list with something in it, such as [a, b]"));
      }
      for (const YAML::Node& item : node) {
        if (!item.IsScalar())
          return Error(item.Mark(), absl::StrCat("an entry of \"", what, "\" has to be one text"));
        const absl::StatusOr<std::string> one = name(item.Scalar());
        if (!one.ok()) return Error(item.Mark(), one.status().message());
        names->insert(*one);
      }
      return absl::OkStatus();
    };
  }

  static absl::StatusOr<std::string> PlainName(const std::string& text) {
    if (!text.empty()) return text;
    return absl::InvalidArgumentError("a name is empty");
  }

  // The identity that `text` is short for.
  absl::StatusOr<std::string> IdentityOf(const std::string& text, pki::Party party) const {
    if (absl::StartsWith(text, kUriPrefix) || absl::StartsWith(text, kCommonNamePrefix)) return text;
    if (absl::string_view name = text; absl::ConsumePrefix(&name, kTokenIdentity)) {
      if (party != pki::Party::kUser)
        return absl::InvalidArgumentError("agents have certificates, no tokens");
      RETURN_IF_ERROR(CheckTokenName(name));
      return text;
    }
    if (!pki::CheckName(text).ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", text,
          "\" is neither a name (lower-case letters, digits, dashes), nor spiffe://..., nor cn:NAME, nor "
          "token:NAME"));
    }
    return pki::Uri({.trust_domain = policy_.trust_domain_, .party = party, .name = text});
  }

  absl::Status ReadRole(const YAML::Node& node) {
    Grant grant;
    std::set<std::string> users;
    bool has_role = false;
    RETURN_IF_ERROR(ReadFields(
        node, "a role",
        {{"role",
          [&](const YAML::Node& value) -> absl::Status {
            const std::string word = value.IsScalar() ? value.Scalar() : "";
            for (const Role role : kRoles) {
              if (Word(role) != word) continue;
              grant.role = role;
              has_role = true;
              return absl::OkStatus();
            }
            return Error(value.Mark(),
                         absl::StrCat("there is no role \"", word,
                                      "\"; there are viewer, author, operator, approver and admin"));
          }},
         {"users", Names(&users, "users",
                         [this](const std::string& text) -> absl::StatusOr<std::string> {
                           if (text == kAll) return text;
                           return IdentityOf(text, pki::Party::kUser);
                         })},
         {"environments", Names(&grant.environments, "environments", PlainName)}}));
    if (!has_role) return Error(node.Mark(), "a role needs a \"role\"");
    if (users.empty()) return Error(node.Mark(), "a role needs \"users\"");
    policy_.grants_.emplace_back(std::move(users), std::move(grant));
    return absl::OkStatus();
  }

  absl::Status ReadAgent(const YAML::Node& node) {
    std::set<std::string> agents, targets;
    RETURN_IF_ERROR(ReadFields(node, "an agent",
                               {{"agent",
                                 [&](const YAML::Node& value) -> absl::Status {
                                   const auto one =
                                       IdentityOf(value.IsScalar() ? value.Scalar() : "", pki::Party::kAgent);
                                   if (!one.ok()) return Error(value.Mark(), one.status().message());
                                   agents.insert(*one);
                                   return absl::OkStatus();
                                 }},
                                {"targets", Names(&targets, "targets", PlainName)}}));
    if (agents.empty()) return Error(node.Mark(), "an agent needs an \"agent\"");
    if (targets.empty()) return Error(node.Mark(), "an agent needs \"targets\"");
    if (!policy_.targets_.emplace(*agents.begin(), std::move(targets)).second) {
      return Error(node.Mark(), absl::StrCat("agent ", *agents.begin(), " is there twice"));
    }
    return absl::OkStatus();
  }

  Policy policy_;
};

absl::StatusOr<Policy> Policy::Parse(absl::string_view yaml, absl::string_view trust_domain) {
  return PolicyReader(trust_domain).Read(yaml);
}

std::vector<Grant> Policy::GrantsOf(const std::string& identity) const {
  // "*" is for people alone, of the own trust domain: tokens are given their roles one by one.
  const auto parsed = pki::ParseUri(identity);
  const bool user =
      parsed.ok() && parsed->party == pki::Party::kUser && parsed->trust_domain == trust_domain_;
  std::vector<Grant> grants;
  for (const auto& [identities, grant] : grants_) {
    if (identities.count(identity) > 0 || (user && identities.count(kAll) > 0)) grants.push_back(grant);
  }
  return grants;
}

bool Policy::Serves(const std::string& identity, const std::string& target) const {
  const auto listed = targets_.find(identity);
  if (listed != targets_.end()) return listed->second.count(target) > 0 || listed->second.count(kAll) > 0;
  return identity == pki::Uri({.trust_domain = trust_domain_, .party = pki::Party::kAgent, .name = target});
}

}  // namespace curlew::access
