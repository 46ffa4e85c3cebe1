-- Tables, indexes, transactions, views, window functions, recursive queries, triggers and full use of a file.
.bail on
.mode column
create table author(id integer primary key, name text not null unique);
create table book(
  id integer primary key,
  author integer not null references author(id),
  title text not null,
  year integer check(year between 1800 and 2100),
  price real
);
create index book_by_author on book(author, year);
create table log(action text, title text);
create trigger book_added after insert on book begin
  insert into log values('added', new.title);
end;

insert into author(name) values('Ada'), ('Grace'), ('Edsger');
insert into book(author, title, year, price)
  values(1, 'Notes', 1843, 12.5), (2, 'Compilers', 1952, 30.0), (2, 'Nanoseconds', 1982, 0.99),
        (3, 'Structures', 1968, 21.25), (3, 'Semaphores', 1965, 18.0);

begin;
delete from book where year < 1960;
select 'inside the transaction', count(*) from book;
rollback;
select 'after rollback', count(*) from book;

create view shelf as
  select author.name, book.title, book.year, price,
         rank() over (partition by author order by year) as nth,
         sum(price) over (order by year) as running
  from book join author on author.id = book.author;
select * from shelf order by year;
select * from log;

with recursive fib(n, a, b) as (select 1, 0, 1 union all select n + 1, b, a + b from fib where n < 15)
  select group_concat(a, ' ') as fibonacci from fib;

create table numbers(n integer primary key, square integer, label text);
with recursive count(n) as (select 1 union all select n + 1 from count where n < 20000)
  insert into numbers select n, n * n, printf('%05d-%02X', n, n % 251) from count;
create index numbers_by_label on numbers(label desc);
select count(*), sum(square), min(label), max(label) from numbers;
select n, label from numbers where label like '0_7__-%A' order by label limit 5;
update numbers set label = replace(label, '-', '/') where n % 7 = 0;
delete from numbers where n % 3 = 0;
vacuum;
select count(*), sum(n), sum(label like '%/%') from numbers;
select json_group_array(json_object('title', title, 'year', year)) as books from book where author = 2;
pragma integrity_check;
.output author.csv
.mode csv
select * from author order by name;
.output stdout
