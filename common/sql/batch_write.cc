#include "common/sql/batch_write.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/sql/one_statement.h"
#include "common/sql/parser.h"
#include "common/sql/table_references.h"

namespace curlew::sql {
namespace {

using google::protobuf::Message;
using pg_query::Node;

template <typename T>
const T* As(const Message& node) {
  return node.GetDescriptor() == T::descriptor() ? static_cast<const T*>(&node) : nullptr;
}

bool Writes(const Message& node) {
  return As<pg_query::InsertStmt>(node) != nullptr || As<pg_query::UpdateStmt>(node) != nullptr ||
         As<pg_query::DeleteStmt>(node) != nullptr || As<pg_query::MergeStmt>(node) != nullptr;
}

// `statement` is the one that writes, without its node.
absl::Status CheckParts(const Message& statement) {
  absl::string_view problem;
  Walk(statement, [&](const Message& node) {
    if (&node != &statement && Writes(node)) {
      problem = "only one statement may write, and a WITH none; give each write an operation of its own";
    } else if (As<pg_query::LockingClause>(node) != nullptr) {
      problem =
          "FOR UPDATE and the like would wait for other sessions, or pass rows over for good; leave them "
          "out: "
          "the rows of the batch are locked already";
    } else if (As<pg_query::ParamRef>(node) != nullptr) {
      problem = "a parameter such as $1 has no value here; write the value";
    }
    return problem.empty();
  });
  return problem.empty() ? absl::OkStatus() : absl::InvalidArgumentError(problem);
}

// What a statement reads.
struct Relations {
  std::set<TableName> tables;
  bool batch = false;
};

Relations RelationsOf(const Message& statement) {
  Relations relations;
  ForEachTable(statement, [&](const pg_query::RangeVar& table) {
    if (table.schemaname().empty() && table.relname() == kBatch) {
      relations.batch = true;
    } else {
      relations.tables.insert(NameOf(table));
    }
  });
  return relations;
}

bool TakesWholeRows(const Message& tree) {
  std::set<std::string> names;
  Walk(tree, [&](const Message& node) {
    if (const auto* table = As<pg_query::RangeVar>(node)) {
      names.insert(table->has_alias() ? table->alias().aliasname() : table->relname());
    }
    return true;
  });
  bool whole = false;
  Walk(tree, [&](const Message& node) {
    whole = whole || As<pg_query::A_Star>(node) != nullptr;
    if (const auto* join = As<pg_query::JoinExpr>(node)) whole = whole || join->is_natural();
    const auto* ref = As<pg_query::ColumnRef>(node);
    if (ref != nullptr && ref->fields_size() == 1) {
      whole = whole || names.count(ref->fields(0).string().sval()) > 0;
    }
    return !whole;
  });
  return whole;
}

std::set<std::string> Targets(const google::protobuf::RepeatedPtrField<Node>& list) {
  std::set<std::string> columns;
  for (const Node& target : list) columns.insert(target.res_target().name());
  return columns;
}

// Takes what the four kinds have in common out of `statement`, a copy: what stays is what it reads.
template <typename Statement>
absl::Status Take(Statement* statement, BatchWrite* write) {
  if (statement->has_with_clause()) {
    return absl::InvalidArgumentError(
        "a WITH stands before the statement, where that of `batch` goes; write it as a subquery in FROM, or "
        "between INSERT INTO ... and SELECT");
  }
  const pg_query::RangeVar& target = statement->relation();
  if (target.schemaname().empty() && target.relname() == kBatch) {
    return absl::InvalidArgumentError(
        "`batch` is what the statement reads, it cannot be written; a table of that name needs its schema "
        "before it");
  }
  write->target = {target.schemaname().empty() ? "public" : target.schemaname(), target.relname()};
  statement->clear_relation();
  return absl::OkStatus();
}

template <typename Statement>
absl::Status CheckReturning(const Statement& statement) {
  if (statement.returning_list().empty()) return absl::OkStatus();
  return absl::InvalidArgumentError("nobody reads what RETURNING gives; leave it out");
}

absl::Status TakeInsert(pg_query::InsertStmt* insert, BatchWrite* write) {
  RETURN_IF_ERROR(Take(insert, write));
  write->inserts = true;
  write->inserts_columns = Targets(insert->cols());
  write->updates_columns = Targets(insert->on_conflict_clause().target_list());
  write->updates = !write->updates_columns.empty();
  return CheckReturning(*insert);
}

absl::Status TakeUpdate(pg_query::UpdateStmt* update, BatchWrite* write) {
  RETURN_IF_ERROR(Take(update, write));
  write->updates = true;
  write->updates_columns = Targets(update->target_list());
  return CheckReturning(*update);
}

absl::Status TakeDelete(pg_query::DeleteStmt* deletion, BatchWrite* write) {
  RETURN_IF_ERROR(Take(deletion, write));
  write->deletes = true;
  return CheckReturning(*deletion);
}

absl::Status TakeMerge(pg_query::MergeStmt* merge, BatchWrite* write) {
  RETURN_IF_ERROR(Take(merge, write));
  for (const Node& node : merge->merge_when_clauses()) {
    const pg_query::MergeWhenClause& when = node.merge_when_clause();
    const std::set<std::string> columns = Targets(when.target_list());
    if (when.command_type() == pg_query::CMD_INSERT) {
      write->inserts = true;
      write->inserts_columns.insert(columns.begin(), columns.end());
    } else if (when.command_type() == pg_query::CMD_UPDATE) {
      write->updates = true;
      write->updates_columns.insert(columns.begin(), columns.end());
    } else if (when.command_type() == pg_query::CMD_DELETE) {
      write->deletes = true;
    }
  }
  return absl::OkStatus();
}

absl::Status TakeStatement(Node* node, BatchWrite* write) {
  switch (node->node_case()) {
    case Node::kInsertStmt:
      return TakeInsert(node->mutable_insert_stmt(), write);
    case Node::kUpdateStmt:
      return TakeUpdate(node->mutable_update_stmt(), write);
    case Node::kDeleteStmt:
      return TakeDelete(node->mutable_delete_stmt(), write);
    case Node::kMergeStmt:
      return TakeMerge(node->mutable_merge_stmt(), write);
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("another kind of statement where one INSERT, UPDATE, DELETE or MERGE stands: ",
                       base::Utf8Prefix(write->text, 80)));
  }
}

}  // namespace

absl::StatusOr<BatchWrite> ParseBatchWrite(absl::string_view text) {
  ASSIGN_OR_RETURN(OneStatement one, ParseOneStatement(text, "INSERT, UPDATE, DELETE or MERGE"));
  BatchWrite write;
  write.text = one.text;
  write.whole_rows = TakesWholeRows(one.stmt);
  for (const Token& token : one.tokens) write.words.insert(TokenName(one.Word(token)));
  RETURN_IF_ERROR(TakeStatement(&one.stmt, &write));
  const Message* statement = nullptr;
  ForEachChild(one.stmt, [&](const Message& child) { statement = &child; });
  RETURN_IF_ERROR(CheckParts(*statement));
  const Relations relations = RelationsOf(*statement);
  if (!relations.batch) {
    return absl::InvalidArgumentError(
        "it does not read `batch`, so that it would do the same for every batch; take the rows from there: "
        "INSERT INTO ... SELECT ... FROM batch");
  }
  write.reads.assign(relations.tables.begin(), relations.tables.end());
  return write;
}

}  // namespace curlew::sql
