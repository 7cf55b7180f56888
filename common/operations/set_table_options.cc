#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

using Options = std::map<std::string, std::string>;

// Of a table and of its TOAST table.
const std::set<absl::string_view>& SharedOptions() {
  static const auto* const names = new std::set<absl::string_view>{"autovacuum_enabled",
                                                                   "autovacuum_freeze_max_age",
                                                                   "autovacuum_freeze_min_age",
                                                                   "autovacuum_freeze_table_age",
                                                                   "autovacuum_multixact_freeze_max_age",
                                                                   "autovacuum_multixact_freeze_min_age",
                                                                   "autovacuum_multixact_freeze_table_age",
                                                                   "autovacuum_vacuum_cost_delay",
                                                                   "autovacuum_vacuum_cost_limit",
                                                                   "autovacuum_vacuum_insert_scale_factor",
                                                                   "autovacuum_vacuum_insert_threshold",
                                                                   "autovacuum_vacuum_scale_factor",
                                                                   "autovacuum_vacuum_threshold",
                                                                   "log_autovacuum_min_duration",
                                                                   "vacuum_index_cleanup",
                                                                   "vacuum_truncate"};
  return *names;
}

const std::set<absl::string_view>& TableOptions() {
  static const auto* const names = new std::set<absl::string_view>{"autovacuum_analyze_scale_factor",
                                                                   "autovacuum_analyze_threshold",
                                                                   "fillfactor",
                                                                   "parallel_workers",
                                                                   "toast_tuple_target",
                                                                   "user_catalog_table"};
  return *names;
}

// The one that stops readers too; the others take SHARE UPDATE EXCLUSIVE.
constexpr char kLocksAll[] = "user_catalog_table";

absl::Status CheckOption(absl::string_view name) {
  absl::string_view bare = name;
  const bool toast = absl::ConsumePrefix(&bare, "toast.");
  if (SharedOptions().count(bare) > 0 || (!toast && TableOptions().count(bare) > 0)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("\"", name, "\" is no storage parameter of a table", toast ? "'s TOAST table" : "",
                   "; there are ", toast ? "" : absl::StrCat(absl::StrJoin(TableOptions(), ", "), ", "),
                   "and, also with \"toast.\" before them, ", absl::StrJoin(SharedOptions(), ", ")));
}

// In the order of their names, as PostgreSQL keeps them: "name=value".
Options OptionsOf(const v1::Table& table) {
  Options options;
  for (const std::string& option : table.options()) {
    const size_t equals = option.find('=');
    options[option.substr(0, equals)] = equals == std::string::npos ? "true" : option.substr(equals + 1);
  }
  return options;
}

class SetTableOptions : public Operation {
 public:
  explicit SetTableOptions(const v1::SetTableOptions& proto) : proto_(proto) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    if (table->kind() == v1::TABLE_KIND_PARTITIONED) {
      return absl::FailedPreconditionError(absl::StrCat("table ", schema::NameOf(*table).Quoted(),
                                                        " is partitioned and stores no rows itself; set the "
                                                        "parameters of its partitions, by a `sql` operation "
                                                        "(ALTER TABLE <partition> SET (...))"));
    }
    Options options = OptionsOf(*table);
    for (const v1::Parameter& set : proto_.set()) options[set.name()] = set.value();
    for (const std::string& name : proto_.reset()) options.erase(name);
    table->clear_options();
    for (const auto& [name, value] : options) table->add_options(absl::StrCat(name, "=", value));
    std::sort(table->mutable_options()->begin(), table->mutable_options()->end());
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    const Options old = OptionsOf(*table);
    Options set, restore;
    std::vector<std::string> reset, forget;
    bool locks_all = false;
    for (const v1::Parameter& parameter : proto_.set()) {
      const auto known = old.find(parameter.name());
      if (known != old.end() && known->second == parameter.value()) continue;
      set[parameter.name()] = parameter.value();
      if (known == old.end()) {
        forget.push_back(parameter.name());
      } else {
        restore[parameter.name()] = known->second;
      }
      locks_all = locks_all || parameter.name() == kLocksAll;
    }
    for (const std::string& parameter : proto_.reset()) {
      const auto known = old.find(parameter);
      if (known == old.end()) continue;
      reset.push_back(parameter);
      restore[parameter] = known->second;
      locks_all = locks_all || parameter == kLocksAll;
    }
    if (set.empty() && reset.empty()) {
      steps->Warn(absl::StrCat("set_table_options: ", name.Quoted(),
                               " has these parameters already; the operation does nothing"));
      return absl::OkStatus();
    }
    v1::Step* step = steps->Add(v1::PHASE_CONSTRAIN,
                                absl::StrCat("set storage parameters of ", sql::Ident(table->name())));
    SetSql(step->mutable_action(), {Alter(name, set, reset)});
    if (context.ExistsNow(name)) SetSql(step->mutable_undo(), {Alter(name, restore, forget)});
    AddLock(step, name, locks_all ? kAccessExclusive : kShareUpdateExclusive);
    return absl::OkStatus();
  }

 private:
  // "toast.autovacuum_enabled": each part is a known word.
  static SqlText Quoted(const std::string& parameter) { return SqlText::Verified(parameter); }

  static SqlText Alter(const sql::TableName& table, const Options& set,
                       const std::vector<std::string>& reset) {
    SqlText assignments, names;
    for (const auto& [name, value] : set) {
      if (!assignments.empty()) assignments.Append({", "});
      assignments.Append({Quoted(name), " = ", SqlText::String(value)});
    }
    for (const std::string& name : reset) {
      if (!names.empty()) names.Append({", "});
      names.Append({Quoted(name)});
    }
    SqlText alter = {"ALTER TABLE ", SqlText::Name(table)};
    if (!assignments.empty()) alter.Append({" SET (", assignments, ")"});
    if (!assignments.empty() && !names.empty()) alter.Append({","});
    if (!names.empty()) alter.Append({" RESET (", names, ")"});
    return alter;
  }

  const v1::SetTableOptions proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeSetTableOptions(const v1::SetTableOptions& proto) {
  if (proto.set().empty() && proto.reset().empty()) {
    return absl::InvalidArgumentError("there is nothing to do; give `set` or `reset`");
  }
  std::set<std::string> seen;
  auto check = [&](const std::string& name) -> absl::Status {
    RETURN_IF_ERROR(CheckOption(name));
    if (seen.insert(name).second) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat("parameter ", name, " stands there twice; leave one out"));
  };
  for (const v1::Parameter& set : proto.set()) RETURN_IF_ERROR(check(set.name()));
  for (const std::string& name : proto.reset()) RETURN_IF_ERROR(check(name));
  return std::make_unique<SetTableOptions>(proto);
}

}  // namespace curlew::operations
