#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/lint/statements.h"
#include "common/sql/parser.h"

namespace curlew::lint {
namespace {

using pg_query::Node;

absl::Status Trigger_(Effects& e, const pg_query::CreateTrigStmt& create) {
  Catalogue& c = e.catalogue;
  ASSIGN_OR_RETURN(Relation * r, NeedRelation(e, create.relation()));
  const Oid oid = r->oid;
  e.Lock(oid, LockMode::kShareRowExclusive);
  if (!r->assumed && !r->IsTable() && r->kind != 'v' && r->kind != 'f')
    return e.Fail("42809", absl::StrCat("relation \"", r->name, "\" cannot have triggers"));
  if (create.has_constrrel()) {
    ASSIGN_OR_RETURN(Relation * other, NeedRelation(e, create.constrrel()));
    e.Lock(other->oid, LockMode::kAccessShare);
  }
  for (const auto& [id, other] : c.triggers) {
    if (other.table == oid && other.name == create.trigname() && !create.replace() && !other.internal)
      return e.Fail("42710", absl::StrCat("trigger \"", create.trigname(), "\" for relation ", e.Name(oid),
                                          " already exists"));
  }
  std::vector<Oid> tables = {oid};
  if (c.relation(oid)->kind == 'p' && create.row()) {
    tables = c.AllInheritors(oid);
    e.Lock(tables, LockMode::kShareRowExclusive);
  }
  const Function* function = FindFunction(e.session, create.funcname(), 0);
  if (function == nullptr && c.complete)
    return e.Fail("42883",
                  absl::StrCat("function ", NameParts(create.funcname()).second, "() does not exist"));
  Oid parent = 0;
  for (Oid table : tables) {
    Trigger trigger;
    trigger.oid = c.NewOid();
    trigger.table = table;
    trigger.name = create.trigname();
    trigger.type = create.events() | (create.row() ? 1 : 0) | create.timing();
    trigger.function = function == nullptr ? 0 : function->oid;
    trigger.parent = parent;
    c.Depend({kPgTrigger, trigger.oid, 0}, {kPgClass, table, 0}, 'a');
    for (const Node& column : create.columns()) {
      const Column* own = c.relation(table)->Find(column.string().sval());
      if (own != nullptr) c.Depend({kPgTrigger, trigger.oid, 0}, {kPgClass, table, own->number}, 'n');
    }
    if (parent != 0) c.Depend({kPgTrigger, trigger.oid, 0}, {kPgTrigger, parent, 0}, 'P');
    if (parent == 0) parent = trigger.oid;
    c.triggers[trigger.oid] = trigger;
  }
  return absl::OkStatus();
}

absl::Status Sequence(Effects& e, const pg_query::CreateSeqStmt& create) {
  const std::string schema = CreationSchema(e.session, create.sequence().schemaname());
  if (e.catalogue.FindRelation(schema, create.sequence().relname()) != nullptr) {
    if (create.if_not_exists()) return absl::OkStatus();
    return e.Fail("42P07", absl::StrCat("relation \"", create.sequence().relname(), "\" already exists"));
  }
  for (const Node& option : create.options()) {
    if (option.def_elem().defname() != "owned_by") continue;
    const std::vector<std::string> parts = Strings(option.def_elem().arg().list().items());
    if (parts.size() < 2) continue;
    Relation* r = FindRelation(e, parts.size() > 2 ? parts[parts.size() - 3] : "", parts[parts.size() - 2]);
    if (r == nullptr)
      return e.Fail("42P01", absl::StrCat("relation \"", parts[parts.size() - 2], "\" does not exist"));
    e.Lock(r->oid, LockMode::kAccessShare);
  }
  MakeRelation(e, create.sequence(), 'S').assumed = false;
  return absl::OkStatus();
}

// A function in SQL is read when it is made, and what it names is locked for that.
absl::Status Function_(Effects& e, const pg_query::CreateFunctionStmt& create) {
  std::string language, body;
  Function made;
  for (const Node& node : create.options()) {
    const auto& option = node.def_elem();
    if (option.defname() == "language") language = ConstantText(option.arg());
    if (option.defname() == "as" && option.arg().list().items_size() > 0)
      body = option.arg().list().items(0).string().sval();
    if (option.defname() == "volatility") made.volatility = option.arg().string().sval()[0];
  }
  const auto [schema, name] = NameParts(create.funcname());
  const auto setting = e.catalogue.settings.find("check_function_bodies");
  const bool unread =
      setting != e.catalogue.settings.end() && (setting->second == "off" || setting->second == "false");
  if ((language == "sql" && !unread) || create.has_sql_body()) {
    for (const Node& parameter : create.parameters()) {
      const Type* type = e.catalogue.type(ResolveType(e, parameter.function_parameter().arg_type()).type);
      if (type != nullptr && type->kind == 'c') e.Lock(type->relation, LockMode::kAccessShare);
    }
    std::vector<Node> statements;
    if (create.has_sql_body()) {
      sql::Walk(create.sql_body(), [&](const google::protobuf::Message& m) {
        if (m.GetDescriptor() != Node::descriptor()) return true;
        const auto& n = static_cast<const Node&>(m);
        if (!n.has_select_stmt() && !n.has_insert_stmt() && !n.has_update_stmt() && !n.has_delete_stmt())
          return true;
        statements.push_back(n);
        return false;
      });
    } else if (auto tree = sql::Parse(body); tree.ok()) {
      for (const auto& raw : tree->stmts()) statements.push_back(raw.stmt());
    }
    for (const Node& statement : statements) {
      switch (statement.node_case()) {
        case Node::kSelectStmt:
        case Node::kInsertStmt:
        case Node::kUpdateStmt:
        case Node::kDeleteStmt:
        case Node::kMergeStmt: {
          // Only read: nothing is run, and functions in it are not called.
          const bool warned = !e.hazards.empty();
          Effects probe(&e.session);
          RETURN_IF_ERROR(LintQueryTables(probe, statement));
          (void)warned;
          for (const auto& [oid, mode] : probe.locks) {
            if (!e.catalogue.relation(oid)->IsIndex()) e.Lock(oid, mode);
          }
          break;
        }
        default:
          break;
      }
    }
  }
  made.oid = e.catalogue.NewOid();
  made.schema = CreationSchema(e.session, schema);
  made.name = name;
  made.language = language.empty() ? "sql" : language;
  made.body = body;
  for (const Node& parameter : create.parameters()) {
    const auto mode = parameter.function_parameter().mode();
    if (mode == pg_query::FUNC_PARAM_OUT || mode == pg_query::FUNC_PARAM_TABLE) continue;
    ++made.arguments;
    made.argument_names.push_back(parameter.function_parameter().name());
    absl::StrAppend(&made.argument_types, made.argument_types.empty() ? "" : " ",
                    ResolveType(e, parameter.function_parameter().arg_type()).type);
  }
  Catalogue& c = e.catalogue;
  const auto [first, last] = c.functions_by_name->equal_range(name);
  for (auto it = first; it != last; ++it) {
    const Function& there = c.functions->at(it->second);
    if (there.schema == made.schema && there.argument_types == made.argument_types) {
      if (!create.replace()) return e.Fail("42723", absl::StrCat("function \"", name, "\" already exists"));
      made.oid = there.oid;
      c.functions.Change()[made.oid] = made;
      return absl::OkStatus();
    }
  }
  c.functions_by_name.Change().emplace(name, made.oid);
  c.functions.Change()[made.oid] = made;
  return absl::OkStatus();
}

absl::Status Publication(Effects& e, const Nodes& objects) {
  for (const Node& node : objects) {
    const auto& object = node.publication_obj_spec();
    if (!object.has_pubtable()) continue;
    ASSIGN_OR_RETURN(Relation * r, NeedRelation(e, object.pubtable().relation()));
    const Oid oid = r->oid;
    e.Lock(oid, LockMode::kShareUpdateExclusive);
    if (object.pubtable().relation().inh() && r->kind != 'p')
      e.Lock(e.catalogue.AllInheritors(oid), LockMode::kShareUpdateExclusive);
  }
  return absl::OkStatus();
}

// The tables of a publication: SET takes away those that it does not name.
void LockPublished(Effects& e, const std::string& publication) {
  const std::vector<Dependency>& dependencies = e.catalogue.dependencies;
  for (const auto& [oid, p] : e.catalogue.publications) {
    if (p.name != publication) continue;
    for (const Dependency& d : dependencies) {
      if (d.object.catalogue != kPgPublicationRel || d.referenced != Address{kPgPublication, oid, 0})
        continue;
      for (const Dependency& other : dependencies) {
        if (other.object == d.object && other.referenced.catalogue == kPgClass)
          e.Lock(other.referenced.id, LockMode::kShareUpdateExclusive);
      }
    }
  }
}

void NewType(Effects& e, const Nodes& names, char kind, TypeUse base, bool constraints, bool has_default) {
  const auto [schema, name] = NameParts(names);
  Type type;
  type.oid = e.catalogue.NewOid();
  type.schema = CreationSchema(e.session, schema);
  type.name = name;
  type.kind = kind;
  type.category = kind == 'e' ? 'E' : 'U';
  type.base = base.type;
  type.base_typmod = base.typmod;
  type.not_null = false;
  type.has_default = has_default;
  if (const Type* below = e.catalogue.type(base.type); below != nullptr) {
    type.collation = below->collation;
    type.category = below->category;
  }
  Type array;
  array.oid = e.catalogue.NewOid();
  array.schema = type.schema;
  array.name = "_" + name;
  array.element = type.oid;
  array.category = 'A';
  type.array = array.oid;
  const Oid oid = type.oid;
  e.catalogue.AddType(type);
  e.catalogue.AddType(array);
  if (constraints) {
    Constraint check;
    check.oid = e.catalogue.NewOid();
    check.domain = oid;
    e.catalogue.constraints[check.oid] = check;
  }
}

}  // namespace

absl::Status LintCreateObject(Effects& e, const Node& node) {
  switch (node.node_case()) {
    case Node::kCreateTrigStmt:
      return Trigger_(e, node.create_trig_stmt());
    case Node::kRuleStmt: {
      ASSIGN_OR_RETURN(Relation * r, NeedRelation(e, node.rule_stmt().relation()));
      e.Lock(r->oid, LockMode::kAccessExclusive);
      Rule rule{e.catalogue.NewOid(), r->oid, node.rule_stmt().rulename()};
      e.catalogue.Depend({kPgRewrite, rule.oid, 0}, {kPgClass, r->oid, 0}, 'a');
      const Oid table = r->oid;
      for (const Node& action : node.rule_stmt().actions()) RETURN_IF_ERROR(LintQueryTables(e, action));
      r = e.catalogue.relation(table);
      if (!e.IsNew(r->oid))
        e.Warn("breaks-applications", Severity::kWarning,
               absl::StrCat("statements on ", e.QuotedName(*r), " are rewritten from now on"));
      e.catalogue.rules[rule.oid] = rule;
      return absl::OkStatus();
    }
    case Node::kCreatePolicyStmt: {
      for (const Node& role : node.create_policy_stmt().roles()) {
        const std::string& name = role.role_spec().rolename();
        if (e.catalogue.complete && !name.empty() && e.catalogue.roles.count(name) == 0)
          return e.Fail("42704", absl::StrCat("role \"", name, "\" does not exist"));
      }
      ASSIGN_OR_RETURN(Relation * r, NeedRelation(e, node.create_policy_stmt().table()));
      const Oid table = r->oid;
      e.Lock(table, LockMode::kAccessExclusive);
      for (const Node* clause : {&node.create_policy_stmt().qual(), &node.create_policy_stmt().with_check()})
        RETURN_IF_ERROR(LintQueryTables(e, *clause));
      r = e.catalogue.relation(table);
      Policy policy{e.catalogue.NewOid(), r->oid, node.create_policy_stmt().policy_name(), ""};
      e.catalogue.Depend({kPgPolicy, policy.oid, 0}, {kPgClass, r->oid, 0}, 'a');
      if (!node.create_policy_stmt().permissive() && r->row_security && !e.IsNew(r->oid))
        e.Warn("breaks-applications", Severity::kWarning,
               absl::StrCat("rows of ", e.QuotedName(*r),
                            " that the policy refuses vanish for applications at once"));
      e.catalogue.policies[policy.oid] = policy;
      return absl::OkStatus();
    }
    case Node::kAlterPolicyStmt: {
      ASSIGN_OR_RETURN(Relation * r, NeedRelation(e, node.alter_policy_stmt().table()));
      e.Lock(r->oid, LockMode::kAccessExclusive);
      if (!e.IsNew(r->oid))
        e.Warn("breaks-applications", Severity::kWarning,
               absl::StrCat("which rows of ", e.QuotedName(*r), " applications see changes at once"));
      return absl::OkStatus();
    }
    case Node::kCreateStatsStmt: {
      Oid table = 0;
      for (const Node& rel : node.create_stats_stmt().relations()) {
        ASSIGN_OR_RETURN(Relation * r, NeedRelation(e, rel.range_var()));
        e.Lock(r->oid, LockMode::kShareUpdateExclusive);
        table = r->oid;
      }
      const auto [schema, name] = NameParts(node.create_stats_stmt().defnames());
      Named made{e.catalogue.NewOid(), CreationSchema(e.session, schema), name, table};
      e.catalogue.Depend({kPgStatisticExt, made.oid, 0}, {kPgClass, table, 0}, 'a');
      e.catalogue.statistics[made.oid] = made;
      return absl::OkStatus();
    }
    case Node::kCreateSeqStmt:
      return Sequence(e, node.create_seq_stmt());
    case Node::kCreateFunctionStmt:
      return Function_(e, node.create_function_stmt());
    case Node::kCreatePublicationStmt: {
      RETURN_IF_ERROR(Publication(e, node.create_publication_stmt().pubobjects()));
      Named made{e.catalogue.NewOid(), "", node.create_publication_stmt().pubname()};
      e.catalogue.publications[made.oid] = made;
      return absl::OkStatus();
    }
    case Node::kAlterPublicationStmt:
      for (const auto& [oid, publication] : e.catalogue.publications) {
        if (publication.name == node.alter_publication_stmt().pubname() && publication.flag &&
            node.alter_publication_stmt().pubobjects_size() > 0)
          return e.Fail("55000",
                        absl::StrCat("publication \"", publication.name, "\" is defined as FOR ALL TABLES"));
      }
      if (node.alter_publication_stmt().action() == pg_query::AP_SetObjects)
        LockPublished(e, node.alter_publication_stmt().pubname());
      return Publication(e, node.alter_publication_stmt().pubobjects());
    case Node::kCreateEnumStmt: {
      NewType(e, node.create_enum_stmt().type_name(), 'e', {}, false, false);
      return absl::OkStatus();
    }
    case Node::kCreateDomainStmt: {
      const auto& domain = node.create_domain_stmt();
      bool constraints = false, has_default = false;
      for (const Node& constraint : domain.constraints()) {
        const auto kind = constraint.constraint().contype();
        constraints |= kind == pg_query::CONSTR_CHECK || kind == pg_query::CONSTR_NOTNULL;
        has_default |= kind == pg_query::CONSTR_DEFAULT;
      }
      NewType(e, domain.domainname(), 'd', ResolveType(e, domain.type_name()), constraints, has_default);
      return absl::OkStatus();
    }
    case Node::kCreateRangeStmt:
      NewType(e, node.create_range_stmt().type_name(), 'r', {}, false, false);
      return absl::OkStatus();
    case Node::kCompositeTypeStmt: {
      Relation& made = MakeRelation(e, node.composite_type_stmt().typevar(), 'c');
      Type type;
      type.oid = e.catalogue.NewOid();
      type.schema = made.schema;
      type.name = made.name;
      type.kind = 'c';
      type.relation = made.oid;
      made.row_type = type.oid;
      made.assumed = true;
      e.catalogue.AddType(type);
      return absl::OkStatus();
    }
    case Node::kCreateSchemaStmt: {
      Named made{e.catalogue.NewOid(), "", node.create_schema_stmt().schemaname()};
      e.catalogue.schemas[made.oid] = made;
      // What it holds is made in it.
      const std::vector<std::string> path = e.session.search_path;
      e.session.search_path.insert(e.session.search_path.begin(), made.name);
      absl::Status status;
      for (const Node& element : node.create_schema_stmt().schema_elts()) {
        if (status.ok()) status = LintStatement(e, element, "");
      }
      e.session.search_path = path;
      return status;
    }
    default:
      return absl::OkStatus();
  }
}

}  // namespace curlew::lint
