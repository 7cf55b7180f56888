#include "common/from_sql/settle.h"

#include <algorithm>
#include <functional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/compiler/compiler.h"
#include "common/schema/schema.h"
#include "common/sql/identifier.h"
#include "common/sql/statement.h"

namespace curlew::from_sql {
namespace {

// "schema crm" for "relation crm.users".
std::string SchemaKey(const std::string& key) {
  const auto name = sql::ParseTableName(key.substr(key.find(' ') + 1));
  return name.ok() ? "schema " + name->schema : "";
}

// Whether all that needs the table stays good.
bool OnlyAdds(const v1::Operation& operation) {
  switch (operation.op_case()) {
    case v1::Operation::kAddColumn:
    case v1::Operation::kCreateIndex:
    case v1::Operation::kAddCheck:
    case v1::Operation::kAddUnique:
    case v1::Operation::kAddForeignKey:
    case v1::Operation::kAddExclusion:
    case v1::Operation::kSetNotNull:
    case v1::Operation::kSetDefault:
    case v1::Operation::kSetComment:
    case v1::Operation::kSetTableOptions:
    case v1::Operation::kCreateStatistics:
    case v1::Operation::kGrant:
      return true;
    default:
      return false;
  }
}

bool LooksAtRows(const v1::Operation& operation) {
  return operation.has_add_check() || operation.has_change_type() || operation.has_backfill() ||
         operation.has_purge() || operation.has_validate_constraint() || operation.has_add_exclusion() ||
         operation.has_add_domain_constraint() ||
         (operation.has_create_index() && operation.create_index().unique()) ||
         (operation.has_add_column() && !operation.add_column().up().empty());
}

class Settler {
 public:
  Settler(std::vector<Piece>* pieces, const v1::Schema* schema) : pieces_(*pieces), schema_(schema) {}

  absl::StatusOr<Settled> Run(int* blamed) {
    // Each round makes one operation less.
    while (true) {
      while (Order()) {
      }
      ASSIGN_OR_RETURN(Settled settled, Build(blamed));
      if (schema_ == nullptr || settled.operations.empty()) return settled;
      const absl::Status refusal = Compile(settled);
      if (refusal.ok()) return settled;
      const int number = Blamed(settled, refusal);
      if (number < 0) return refusal;
      *blamed = number;
      if (!pieces_[number].is_operation()) return refusal;
      Demote(number, Reason(refusal));
    }
  }

 private:
  bool IsLive(int i) const { return !pieces_[i].merged_into.has_value(); }

  // What each piece touches, with what is merged into it.
  std::vector<Keys> AllTouches() const {
    std::vector<Keys> touches;
    touches.reserve(pieces_.size());
    for (const Piece& piece : pieces_) touches.push_back(piece.touches);
    for (const Piece& piece : pieces_) {
      if (piece.merged_into.value_or(-1) < 0) continue;
      touches[*piece.merged_into].insert(piece.touches.begin(), piece.touches.end());
    }
    return touches;
  }

  // The piece becomes SQL, and with it what says the same or goes with it.
  void Demote(int i, const std::string& why) {
    Piece& piece = pieces_[i];
    if (!piece.why.empty() && IsLive(i)) return;
    const bool was_operation = piece.is_operation();
    if (was_operation) piece.why = why;
    if (piece.extra) piece.merged_into = -1;
    for (size_t other = 0; other < pieces_.size(); ++other) {
      if (pieces_[other].merged_into != i || pieces_[other].extra) continue;
      pieces_[other].merged_into.reset();
      if (pieces_[other].why.empty()) pieces_[other].why = why;
    }
    if (piece.group >= 0) DemoteGroup(piece.group, why);
    if (piece.leads) DemoteStatement(i, why);
  }

  void DemoteGroup(int group, const std::string& why) {
    for (size_t i = 0; i < pieces_.size(); ++i) {
      Piece& piece = pieces_[i];
      if (piece.group != group) continue;
      piece.group = -1;
      piece.after = -1;
      if (piece.extra) {
        piece.merged_into = -1;
      } else {
        if (piece.merged_into.has_value() && *piece.merged_into < 0) piece.merged_into.reset();
        Demote(static_cast<int>(i), why);
        if (piece.why.empty()) piece.why = why;
      }
    }
  }

  // The statement as it is written says all of its pieces.
  void DemoteStatement(int lead, const std::string& why) {
    const int statement = pieces_[lead].statement;
    for (size_t i = 0; i < pieces_.size(); ++i) {
      if (pieces_[i].statement == statement && pieces_[i].leads) {
        lead = static_cast<int>(i);
        break;
      }
    }
    if (pieces_[lead].why.empty()) Demote(lead, why);
    for (size_t i = 0; i < pieces_.size(); ++i) {
      Piece& piece = pieces_[i];
      if (piece.statement != statement || static_cast<int>(i) == lead) continue;
      piece.leads = false;
      if (IsLive(static_cast<int>(i))) {
        Demote(static_cast<int>(i), why);
        piece.merged_into = lead;
      }
      pieces_[lead].touches.insert(piece.touches.begin(), piece.touches.end());
      pieces_[lead].changes.insert(piece.changes.begin(), piece.changes.end());
    }
  }

  // Goes through the pieces once; true where an operation had to become SQL, and it has to be done again.
  bool Order() {
    std::map<std::string, v1::Phase> last;  // in which something happens to a key
    std::map<std::string, int> changed;     // by which SQL, unseen
    Keys used;                              // by SQL that runs after ADD
    Keys beside;                            // what comments and privileges of SQL name
    int everything = -1;
    bool unknown_index = false;
    bool again = false;
    v1::Phase latest = v1::PHASE_ADD;
    const std::vector<Keys> all_touches = AllTouches();
    for (const int i : InOrder(pieces_)) {
      if (!IsLive(i)) continue;
      Piece& piece = pieces_[i];
      const Keys& touches = all_touches[i];
      if (piece.is_operation()) {
        std::string why = WhySql(piece, touches, last, changed, used, beside, everything);
        const bool carries = piece.operation->has_rename_column() || piece.operation->has_change_type();
        if (why.empty() && unknown_index && carries) {
          why = "an index that it may have to carry over has been changed by a `sql` operation";
        }
        if (why.empty()) {
          for (const std::string& key : touches) last[key] = std::max(last[key], piece.last);
          latest = std::max(latest, piece.last);
          continue;
        }
        Demote(i, why);
        again = true;
        if (!IsLive(i)) continue;
      }
      v1::Phase phase =
          piece.reaches_all || piece.of_unknown_table || everything >= 0 ? latest : v1::PHASE_ADD;
      for (const std::string& key : touches) {
        for (const std::string& which : {key, SchemaKey(key)}) {
          const auto known = last.find(which);
          if (known != last.end()) phase = std::max(phase, known->second);
        }
      }
      if (piece.completes) phase = Completed(touches, changed);
      // What running applications would feel waits for the gate, though it could be undone.
      if (piece.down.empty() || BreaksApplications(piece)) phase = v1::PHASE_DROP;
      piece.phase = phase;
      for (const std::string& key : touches) last[key] = std::max(last[key], phase);
      latest = std::max(latest, phase);
      if (piece.data_only) continue;
      unknown_index = unknown_index || piece.of_unknown_table;
      if (piece.reaches_all) everything = i;
      if (piece.changes.empty()) {
        if (!piece.completes) beside.insert(touches.begin(), touches.end());
        continue;
      }
      for (const std::string& key : piece.changes) changed.emplace(key, i);
      if (phase > v1::PHASE_ADD) used.insert(touches.begin(), touches.end());
    }
    return again;
  }

  static bool BreaksApplications(const Piece& piece) {
    const auto statements = sql::ParseStatements(piece.sql);
    return statements.ok() &&
           std::any_of(statements->begin(), statements->end(), [](const sql::Statement& s) {
             return std::count(s.hazards.begin(), s.hazards.end(), "breaks-applications") > 0;
           });
  }

  // What completes an operation needs what that adds, in ADD, and what SQL made.
  v1::Phase Completed(const Keys& touches, const std::map<std::string, int>& changed) const {
    v1::Phase phase = v1::PHASE_ADD;
    for (const std::string& key : touches) {
      const auto by = changed.find(key);
      if (by != changed.end()) phase = std::max(phase, pieces_[by->second].phase);
    }
    return phase;
  }

  // Why an operation cannot follow what comes before it; empty where it can.
  std::string WhySql(const Piece& piece, const Keys& touches, std::map<std::string, v1::Phase>& last,
                     const std::map<std::string, int>& changed, const Keys& used, const Keys& beside,
                     int everything) const {
    if (everything >= 0) return "it follows a statement that may reach anything";
    const v1::Operation& operation = *piece.operation;
    const bool takes_types = operation.has_create_table() || operation.has_add_column();
    const bool renames =
        operation.has_rename_index() || operation.has_rename_constraint() || operation.has_rename_column();
    for (const std::string& key : touches) {
      for (const std::string& which : {key, SchemaKey(key)}) {
        const auto by = changed.find(which);
        if (by == changed.end()) continue;
        const bool only_used = piece.changes.count(key) == 0;
        if (takes_types && only_used && absl::StartsWith(which, "type ") &&
            pieces_[by->second].phase == v1::PHASE_ADD) {
          continue;
        }
        return absl::StrCat("it follows a `sql` operation on ", which,
                            ", which the plan does not see change");
      }
      if (used.count(key) > 0 && !OnlyAdds(operation)) {
        return absl::StrCat("it follows a `sql` operation that needs ", key, " as it was");
      }
      if (renames && beside.count(key) > 0) return absl::StrCat("it follows a `sql` operation on ", key);
      // Whose looks at the rows come before any function is made.
      if (LooksAtRows(operation) && absl::StartsWith(key, "function ") && last.count(key) > 0) {
        return absl::StrCat("it is tried on the rows before the plan makes ", key);
      }
      // The compiler does not know what a function's body needs.
      if (operation.has_create_function() && piece.changes.count(key) == 0 && last.count(key) > 0 &&
          last[key] > v1::PHASE_ADD) {
        return absl::StrCat("its body names ", key, ", which is made in a later phase than functions");
      }
    }
    return "";
  }

  absl::StatusOr<Settled> Build(int* blamed) const {
    Settled settled;
    for (const int i : InOrder(pieces_)) {
      if (!IsLive(i)) continue;
      const Piece& piece = pieces_[i];
      settled.pieces.push_back(i);
      for (const std::string& hazard :
           piece.is_operation() ? piece.acknowledge : std::vector<std::string>()) {
        settled.hazards[hazard].push_back(i);
      }
      if (piece.is_operation()) {
        if (IsPublished(piece)) settled.hazards["published-table"].push_back(i);
        settled.operations.push_back(*piece.operation);
        continue;
      }
      *blamed = i;
      ASSIGN_OR_RETURN(const std::vector<sql::Statement> statements, sql::ParseStatements(piece.sql));
      std::set<std::string> hazards;
      for (const sql::Statement& statement : statements) {
        hazards.insert(statement.hazards.begin(), statement.hazards.end());
      }
      for (const std::string& hazard : hazards) settled.hazards[hazard].push_back(i);
      v1::Sql* sql = settled.operations.emplace_back().mutable_sql();
      sql->set_up(piece.sql);
      if (piece.phase == v1::PHASE_DROP) {
        sql->set_irreversible(true);
        sql->set_phase(v1::PHASE_DROP);
      } else {
        sql->set_down(piece.down);
        if (piece.phase != v1::PHASE_ADD) sql->set_phase(piece.phase);
      }
    }
    return settled;
  }

  bool IsPublished(const Piece& piece) const {
    if (schema_ == nullptr) return false;
    return std::any_of(schema_->tables().begin(), schema_->tables().end(), [&](const v1::Table& table) {
      return !table.publications().empty() &&
             piece.changes.count(RelationKey(schema::NameOf(table).Quoted())) > 0;
    });
  }

  absl::Status Compile(const Settled& settled) const {
    v1::Plan plan;
    plan.set_name("from-sql");
    plan.mutable_operations()->Assign(settled.operations.begin(), settled.operations.end());
    for (const auto& [hazard, pieces] : settled.hazards) plan.mutable_settings()->add_acknowledge(hazard);
    return compiler::Compile(plan, *schema_).status();
  }

  // Without the place in the plan, which is another one afterwards.
  static std::string Reason(const absl::Status& refusal) {
    const std::string message(refusal.message());
    const std::string place = base::Detail(refusal, base::kField) + ": ";
    return absl::StartsWith(message, place) ? message.substr(place.size()) : message;
  }

  // The piece of the operation that "operations[3].add_check" names; -1 where none is.
  static int Blamed(const Settled& settled, const absl::Status& refusal) {
    const std::string field = base::Detail(refusal, base::kField);
    const std::vector<std::string> parts = absl::StrSplit(field, absl::ByAnyChar("[]"));
    size_t number = 0;
    if (parts.size() < 2 || !absl::SimpleAtoi(parts[1], &number) || number >= settled.pieces.size())
      return -1;
    return settled.pieces[number];
  }

  std::vector<Piece>& pieces_;
  const v1::Schema* const schema_;
};

}  // namespace

std::vector<int> InOrder(const std::vector<Piece>& pieces) {
  std::map<int, std::vector<int>> followers;  // by the piece that they come after
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].after >= 0) followers[pieces[i].after].push_back(static_cast<int>(i));
  }
  std::vector<int> order;
  const std::function<void(int)> add = [&](int piece) {
    order.push_back(piece);
    const auto next = followers.find(piece);
    if (next == followers.end()) return;
    for (int follower : next->second) add(follower);
  };
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].after < 0) add(static_cast<int>(i));
  }
  return order;
}

absl::StatusOr<Settled> Settle(std::vector<Piece>* pieces, const v1::Schema* schema, int* blamed) {
  return Settler(pieces, schema).Run(blamed);
}

}  // namespace curlew::from_sql
