#include "common/sql/subject.h"

#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "common/base/status_macros.h"
#include "common/sql/parser.h"
#include "common/sql/table_references.h"

namespace curlew::sql {
namespace {

using google::protobuf::Message;
using pg_query::Node;
using Kind = Subject::Kind;

constexpr char kCurlew[] = "curlew";

// "curlew" as a part of a name, or at the beginning of a text that may be one ('curlew.numbers'::regclass).
bool NamesCurlew(const Message& tree) {
  bool found = false;
  Walk(tree, [&](const Message& node) {
    if (node.GetDescriptor() == pg_query::A_Const::descriptor()) {
      const auto& constant = static_cast<const pg_query::A_Const&>(node);
      found = found || absl::StartsWith(constant.sval().sval(), "curlew.");
      return false;
    }
    if (node.GetDescriptor() == pg_query::RangeVar::descriptor()) {
      found = found || static_cast<const pg_query::RangeVar&>(node).schemaname() == kCurlew;
    } else if (node.GetDescriptor() == pg_query::String::descriptor()) {
      found = found || static_cast<const pg_query::String&>(node).sval() == kCurlew;
    }
    return !found;
  });
  return found;
}

template <typename Names>
TableName NameOfList(const Names& names) {
  std::vector<std::string> parts;
  for (const Node& part : names) parts.push_back(part.string().sval());
  if (parts.empty()) return {};
  return {parts.size() > 1 ? parts[parts.size() - 2] : "public", parts.back()};
}

class Reader {
 public:
  Subject Read(const Node& node) {
    subject_.names_curlew = NamesCurlew(node);
    switch (node.node_case()) {
      case Node::kAlterTableStmt:
        return Relation(node.alter_table_stmt().relation(), node);
      case Node::kIndexStmt:
        return Relation(node.index_stmt().relation(), node);
      case Node::kCreateTrigStmt:
        return Relation(node.create_trig_stmt().relation(), node);
      case Node::kRuleStmt:
        return Relation(node.rule_stmt().relation(), node);
      case Node::kCreatePolicyStmt:
        return Relation(node.create_policy_stmt().table(), node);
      case Node::kAlterPolicyStmt:
        return Relation(node.alter_policy_stmt().table(), node);
      case Node::kCreateStatsStmt:
        return First(node.create_stats_stmt().relations(), node);
      case Node::kInsertStmt:
        return Relation(node.insert_stmt().relation(), node);
      case Node::kUpdateStmt:
        return Relation(node.update_stmt().relation(), node);
      case Node::kDeleteStmt:
        return Relation(node.delete_stmt().relation(), node);
      case Node::kMergeStmt:
        return Relation(node.merge_stmt().relation(), node);
      case Node::kTruncateStmt:
        return First(node.truncate_stmt().relations(), node);
      case Node::kLockStmt:
        return First(node.lock_stmt().relations(), node);
      case Node::kVacuumStmt:
        if (node.vacuum_stmt().rels().empty()) return subject_;
        return Relation(node.vacuum_stmt().rels(0).vacuum_relation().relation(), node);
      case Node::kReindexStmt:
        return Relation(node.reindex_stmt().relation(), node);
      case Node::kClusterStmt:
        return Relation(node.cluster_stmt().relation(), node);
      case Node::kRefreshMatViewStmt:
        return Relation(node.refresh_mat_view_stmt().relation(), node);
      case Node::kRenameStmt:
        return Relation(node.rename_stmt().relation(), node);
      case Node::kAlterSeqStmt:
        return Relation(node.alter_seq_stmt().sequence(), node);
      case Node::kCreateStmt:
        for (const Node& parent : node.create_stmt().inh_relations()) Other(parent.range_var());
        for (const Node& element : node.create_stmt().table_elts()) {
          if (element.has_table_like_clause()) Other(element.table_like_clause().relation());
        }
        return Made(NameOf(node.create_stmt().relation()));
      case Node::kViewStmt:
        Others(node.view_stmt().query());
        return Made(NameOf(node.view_stmt().view()));
      case Node::kCreateTableAsStmt:
        Others(node.create_table_as_stmt().query());
        return Made(NameOf(node.create_table_as_stmt().into().rel()));
      case Node::kCreateSeqStmt:
        return Made(NameOf(node.create_seq_stmt().sequence()));
      case Node::kCompositeTypeStmt:
        return Made(NameOf(node.composite_type_stmt().typevar()));
      case Node::kCreateEnumStmt:
        // Its values are texts, too.
        subject_.names_curlew = NameOfList(node.create_enum_stmt().type_name()).schema == kCurlew;
        return Made(NameOfList(node.create_enum_stmt().type_name()));
      case Node::kCreateRangeStmt:
        return Made(NameOfList(node.create_range_stmt().type_name()));
      case Node::kCreateDomainStmt:
        return Made(NameOfList(node.create_domain_stmt().domainname()));
      case Node::kCreateFunctionStmt:
        return Made(NameOfList(node.create_function_stmt().funcname()), Kind::kNewRoutine);
      case Node::kDefineStmt:
        return Made(
            NameOfList(node.define_stmt().defnames()),
            node.define_stmt().kind() == pg_query::OBJECT_AGGREGATE ? Kind::kNewRoutine : Kind::kNewRelation);
      default:
        return subject_;
    }
  }

 private:
  void Other(const pg_query::RangeVar& table) {
    const TableName name = NameOf(table);
    if (std::find(subject_.others.begin(), subject_.others.end(), name) == subject_.others.end())
      subject_.others.push_back(name);
  }
  void Others(const Message& tree) {
    ForEachTable(tree, [this](const pg_query::RangeVar& table) { Other(table); });
  }

  Subject Relation(const pg_query::RangeVar& relation, const Node& node) {
    if (relation.relname().empty()) return subject_;
    Others(node);
    subject_.kind = Kind::kRelation;
    subject_.name = NameOf(relation);
    std::erase(subject_.others, subject_.name);
    return subject_;
  }

  template <typename Relations>
  Subject First(const Relations& relations, const Node& node) {
    return relations.empty() ? subject_ : Relation(relations.Get(0).range_var(), node);
  }

  Subject Made(TableName name, Kind kind = Kind::kNewRelation) {
    subject_.kind = kind;
    subject_.name = std::move(name);
    return subject_;
  }

  Subject subject_;
};

}  // namespace

absl::StatusOr<Subject> SubjectOf(absl::string_view statement) {
  ASSIGN_OR_RETURN(const pg_query::ParseResult tree, Parse(statement));
  if (tree.stmts_size() != 1) return absl::InvalidArgumentError("it has to be one statement");
  return Reader().Read(tree.stmts(0).stmt());
}

}  // namespace curlew::sql
