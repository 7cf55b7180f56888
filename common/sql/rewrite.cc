#include "common/sql/rewrite.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/sql/parser.h"

namespace curlew::sql {
namespace {

using google::protobuf::Message;

absl::StatusOr<pg_query::ParseResult> ParseDefinition(absl::string_view definition) {
  auto tree = Parse(definition);
  if (!tree.ok())
    return absl::InternalError(absl::StrCat("a definition of the catalogue: ", tree.status().message()));
  return tree;
}

void SetString(google::protobuf::RepeatedPtrField<pg_query::Node>* names, ColumnChange change) {
  for (pg_query::Node& node : *names) {
    if (node.has_string() && node.string().sval() == change.from) {
      node.mutable_string()->set_sval(std::string(change.to));
    }
  }
}

// Puts `change` into all column references, index elements and statistics elements below `tree`.
void ChangeColumns(Message* tree, ColumnChange change) {
  WalkMutable(tree, [&](Message* node) {
    if (auto* ref = dynamic_cast<pg_query::ColumnRef*>(node)) {
      SetString(ref->mutable_fields(), change);
    } else if (auto* element = dynamic_cast<pg_query::IndexElem*>(node)) {
      if (element->name() == change.from) element->set_name(std::string(change.to));
    } else if (auto* stats = dynamic_cast<pg_query::StatsElem*>(node)) {
      if (stats->name() == change.from) stats->set_name(std::string(change.to));
    }
    return true;
  });
}

void ClearLocations(Message* tree) {
  WalkMutable(tree, [](Message* node) {
    for (const char* name : {"location", "stmt_location", "stmt_len"}) {
      const auto* field = node->GetDescriptor()->FindFieldByName(name);
      if (field != nullptr) node->GetReflection()->ClearField(node, field);
    }
    return true;
  });
}

// `printed` as SQL, which must read back as `meant`: the library's writer is not trusted with odd names.
absl::StatusOr<SqlText> Written(pg_query::ParseResult meant, const pg_query::ParseResult& printed) {
  ASSIGN_OR_RETURN(std::string text, Deparse(printed));
  auto back = Parse(text);
  if (back.ok()) {
    ClearLocations(&meant);
    ClearLocations(&*back);
    if (back->SerializeAsString() == meant.SerializeAsString()) return SqlText::Verified(std::move(text));
  }
  return absl::UnimplementedError(absl::StrCat("a definition that cannot be written again exactly: ", text));
}

}  // namespace

absl::StatusOr<SqlText> RewriteIndex(absl::string_view definition, ColumnChange change,
                                     absl::string_view name) {
  ASSIGN_OR_RETURN(pg_query::ParseResult tree, ParseDefinition(definition));
  if (tree.stmts_size() != 1 || !tree.stmts(0).stmt().has_index_stmt()) {
    return absl::InternalError(absl::StrCat("not an index's definition: ", definition));
  }
  pg_query::IndexStmt* index = tree.mutable_stmts(0)->mutable_stmt()->mutable_index_stmt();
  ChangeColumns(index, change);
  index->set_idxname(std::string(name));
  index->set_concurrent(true);
  pg_query::ParseResult printed = tree;
  // libpg_query 15 prints an index's name without quotes.
  printed.mutable_stmts(0)->mutable_stmt()->mutable_index_stmt()->set_idxname(Ident(name));
  return Written(tree, printed);
}

absl::StatusOr<SqlText> RewriteForeignKey(absl::string_view definition, ColumnChange change,
                                          const TableName& table, absl::string_view name) {
  ASSIGN_OR_RETURN(
      pg_query::ParseResult tree,
      ParseDefinition(absl::StrCat("ALTER TABLE ", table.Quoted(), " ADD CONSTRAINT ", Ident(name), " ",
                                   absl::StripSuffix(definition, " NOT VALID"))));
  pg_query::Constraint* key = tree.mutable_stmts(0)
                                  ->mutable_stmt()
                                  ->mutable_alter_table_stmt()
                                  ->mutable_cmds(0)
                                  ->mutable_alter_table_cmd()
                                  ->mutable_def()
                                  ->mutable_constraint();
  SetString(key->mutable_fk_attrs(), change);
  SetString(key->mutable_fk_del_set_cols(), change);
  key->set_skip_validation(true);
  key->set_initially_valid(false);
  return Written(tree, tree);
}

absl::StatusOr<SqlText> RewriteStatistics(absl::string_view definition, ColumnChange change,
                                          const TableName& name) {
  ASSIGN_OR_RETURN(pg_query::ParseResult tree, ParseDefinition(definition));
  if (tree.stmts_size() != 1 || !tree.stmts(0).stmt().has_create_stats_stmt()) {
    return absl::InternalError(absl::StrCat("not a definition of statistics: ", definition));
  }
  pg_query::CreateStatsStmt* stats = tree.mutable_stmts(0)->mutable_stmt()->mutable_create_stats_stmt();
  ChangeColumns(stats, change);
  stats->clear_defnames();
  stats->add_defnames()->mutable_string()->set_sval(name.schema);
  stats->add_defnames()->mutable_string()->set_sval(name.name);
  pg_query::ParseResult printed = tree;
  // libpg_query 15 prints these columns without quotes.
  WalkMutable(&printed, [](Message* node) {
    if (auto* element = dynamic_cast<pg_query::StatsElem*>(node)) element->set_name(Ident(element->name()));
    return true;
  });
  return Written(tree, printed);
}

absl::StatusOr<Expression> CheckExpression(absl::string_view definition) {
  absl::string_view text = absl::StripSuffix(definition, " NOT VALID");
  if (absl::EndsWith(text, " NO INHERIT")) {
    return absl::UnimplementedError(absl::StrCat("a CHECK with NO INHERIT: ", definition));
  }
  if (!absl::ConsumePrefix(&text, "CHECK (") || !absl::ConsumeSuffix(&text, ")")) {
    return absl::InternalError(absl::StrCat("not a CHECK constraint's definition: ", definition));
  }
  return Expression::Parse(text);
}

}  // namespace curlew::sql
