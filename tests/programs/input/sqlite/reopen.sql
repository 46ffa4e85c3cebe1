-- Opens what library.sql left in the file, imports the CSV and prints the schema.
.import --csv author.csv imported
select * from imported;
attach 'other.db' as other;
create table other.copy as select * from author;
select count(*) from other.copy;
.schema
