-- The orders of the sample shop. `orders.db` is made from this file:
--   rm -f orders.db && sqlite3 orders.db < orders.sql
-- All people and addresses are invented.
BEGIN;
CREATE TABLE customers (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  email TEXT NOT NULL UNIQUE,
  town TEXT NOT NULL
);
CREATE TABLE orders (
  number INTEGER PRIMARY KEY,
  customer_id INTEGER NOT NULL REFERENCES customers (id),
  placed_on TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('open', 'packed', 'shipped', 'delivered', 'returned', 'cancelled')),
  shipped_on TEXT,
  delivered_on TEXT,
  tracking_number TEXT,
  total TEXT NOT NULL
);
CREATE TABLE items (
  order_number INTEGER NOT NULL REFERENCES orders (number),
  article TEXT NOT NULL,
  quantity INTEGER NOT NULL CHECK (quantity > 0),
  price TEXT NOT NULL
);
CREATE INDEX items_by_order ON items (order_number);
INSERT INTO customers VALUES (1, 'Ada Winter', 'ada.winter@example.org', 'Larkfield');
INSERT INTO customers VALUES (2, 'Bruno Keller', 'bruno.keller@example.org', 'Ostheim');
INSERT INTO customers VALUES (3, 'Carla Medina', 'carla.medina@example.org', 'Larkfield');
INSERT INTO customers VALUES (4, 'Dimitri Volkov', 'dimitri.volkov@example.org', 'Sankt Ilgen');
INSERT INTO customers VALUES (5, 'Elif Yilmaz', 'elif.yilmaz@example.org', 'Larkfield');
INSERT INTO customers VALUES (6, 'Frieda Holm', 'frieda.holm@example.org', 'Hallbach');
INSERT INTO customers VALUES (7, 'Georg Pichler', 'georg.pichler@example.org', 'Ostheim');
INSERT INTO customers VALUES (8, 'Hanna Lindqvist', 'hanna.lindqvist@example.org', 'Larkfield');
INSERT INTO customers VALUES (9, 'Ivo Marek', 'ivo.marek@example.org', 'Neudorf');
INSERT INTO customers VALUES (10, 'Jana Novak', 'jana.novak@example.org', 'Larkfield');
INSERT INTO customers VALUES (11, 'Karim Haddad', 'karim.haddad@example.org', 'Hallbach');
INSERT INTO customers VALUES (12, 'Lea Brandt', 'lea.brandt@example.org', 'Ostheim');
INSERT INTO customers VALUES (13, 'Milan Horvat', 'milan.horvat@example.org', 'Neudorf');
INSERT INTO customers VALUES (14, 'Nora Sullivan', 'nora.sullivan@example.org', 'Larkfield');
INSERT INTO customers VALUES (15, 'Oskar Berg', 'oskar.berg@example.org', 'Sankt Ilgen');
INSERT INTO customers VALUES (16, 'Paula Reyes', 'paula.reyes@example.org', 'Larkfield');
INSERT INTO customers VALUES (17, 'Quentin Moreau', 'quentin.moreau@example.org', 'Hallbach');
INSERT INTO customers VALUES (18, 'Rosa Bianchi', 'rosa.bianchi@example.org', 'Ostheim');
INSERT INTO customers VALUES (19, 'Stefan Gruber', 'stefan.gruber@example.org', 'Larkfield');
INSERT INTO customers VALUES (20, 'Tamara Okafor', 'tamara.okafor@example.org', 'Neudorf');
INSERT INTO orders VALUES (1001, 11, '2026-09-01', 'returned', '2026-09-03', '2026-09-06', 'LC1001160816AT', '41.40');
INSERT INTO items VALUES (1001, 'Inner tube 37-622', 1, '6.90');
INSERT INTO items VALUES (1001, 'Chain 11-speed', 1, '34.50');
INSERT INTO orders VALUES (1002, 7, '2026-09-02', 'delivered', '2026-09-04', '2026-09-06', 'LC1002545140AT', '64.40');
INSERT INTO items VALUES (1002, 'Pedals, pair', 1, '29.90');
INSERT INTO items VALUES (1002, 'Chain 11-speed', 1, '34.50');
INSERT INTO orders VALUES (1003, 19, '2026-09-03', 'delivered', '2026-09-05', '2026-09-08', 'LC1003713984AT', '18.90');
INSERT INTO items VALUES (1003, 'Bell, brass', 1, '18.90');
INSERT INTO orders VALUES (1004, 2, '2026-09-05', 'cancelled', NULL, NULL, NULL, '58.00');
INSERT INTO items VALUES (1004, 'Cassette 11-34', 1, '58.00');
INSERT INTO orders VALUES (1005, 10, '2026-09-06', 'delivered', '2026-09-07', '2026-09-10', 'LC1005202163AT', '69.80');
INSERT INTO items VALUES (1005, 'Brake pads, pair', 1, '12.90');
INSERT INTO items VALUES (1005, 'Bell, brass', 1, '18.90');
INSERT INTO items VALUES (1005, 'Floor pump', 1, '38.00');
INSERT INTO orders VALUES (1006, 3, '2026-09-07', 'delivered', '2026-09-09', '2026-09-12', 'LC1006575198AT', '590.80');
INSERT INTO items VALUES (1006, 'Tyre Gravelway 40-622', 2, '42.90');
INSERT INTO items VALUES (1006, 'Children''s bicycle Wren 20 inch', 1, '389.00');
INSERT INTO items VALUES (1006, 'Cassette 11-34', 2, '58.00');
INSERT INTO orders VALUES (1007, 10, '2026-09-09', 'delivered', '2026-09-11', '2026-09-14', 'LC1007414834AT', '14.50');
INSERT INTO items VALUES (1007, 'Bottle cage, steel', 1, '14.50');
INSERT INTO orders VALUES (1008, 16, '2026-09-10', 'returned', '2026-09-11', '2026-09-14', 'LC1008893919AT', '107.00');
INSERT INTO items VALUES (1008, 'Floor pump', 1, '38.00');
INSERT INTO items VALUES (1008, 'Chain 11-speed', 2, '34.50');
INSERT INTO orders VALUES (1009, 5, '2026-09-11', 'returned', '2026-09-13', '2026-09-16', 'LC1009467188AT', '41.40');
INSERT INTO items VALUES (1009, 'Inner tube 37-622', 1, '6.90');
INSERT INTO items VALUES (1009, 'Chain 11-speed', 1, '34.50');
INSERT INTO orders VALUES (1010, 16, '2026-09-13', 'delivered', '2026-09-15', '2026-09-17', 'LC1010796414AT', '122.50');
INSERT INTO items VALUES (1010, 'Chain 11-speed', 1, '34.50');
INSERT INTO items VALUES (1010, 'Mudguards, pair', 2, '44.00');
INSERT INTO orders VALUES (1011, 2, '2026-09-14', 'delivered', '2026-09-16', '2026-09-18', 'LC1011463861AT', '73.90');
INSERT INTO items VALUES (1011, 'Bell, brass', 1, '18.90');
INSERT INTO items VALUES (1011, 'Multi-tool 14', 2, '27.50');
INSERT INTO orders VALUES (1012, 15, '2026-09-15', 'delivered', '2026-09-17', '2026-09-20', 'LC1012359642AT', '408.80');
INSERT INTO items VALUES (1012, 'Brake pads, pair', 1, '12.90');
INSERT INTO items VALUES (1012, 'Children''s bicycle Wren 20 inch', 1, '389.00');
INSERT INTO items VALUES (1012, 'Inner tube 37-622', 1, '6.90');
INSERT INTO orders VALUES (1013, 13, '2026-09-17', 'returned', '2026-09-19', '2026-09-21', 'LC1013391335AT', '227.00');
INSERT INTO items VALUES (1013, 'Chain 11-speed', 2, '34.50');
INSERT INTO items VALUES (1013, 'Pannier Heron, 20 litres', 2, '79.00');
INSERT INTO orders VALUES (1014, 14, '2026-09-18', 'returned', '2026-09-19', '2026-09-21', 'LC1014187015AT', '119.70');
INSERT INTO items VALUES (1014, 'Pedals, pair', 2, '29.90');
INSERT INTO items VALUES (1014, 'Lock Anchor, 90 cm', 1, '59.90');
INSERT INTO orders VALUES (1015, 5, '2026-09-19', 'delivered', '2026-09-21', '2026-09-24', 'LC1015291200AT', '139.80');
INSERT INTO items VALUES (1015, 'Helmet Meadow, size M', 2, '69.90');
INSERT INTO orders VALUES (1016, 10, '2026-09-21', 'delivered', '2026-09-23', '2026-09-26', 'LC1016640531AT', '117.90');
INSERT INTO items VALUES (1016, 'Cassette 11-34', 1, '58.00');
INSERT INTO items VALUES (1016, 'Lock Anchor, 90 cm', 1, '59.90');
INSERT INTO orders VALUES (1017, 2, '2026-09-22', 'delivered', '2026-09-24', '2026-09-26', 'LC1017519894AT', '131.60');
INSERT INTO items VALUES (1017, 'Gloves, size S', 2, '24.90');
INSERT INTO items VALUES (1017, 'Mudguards, pair', 1, '44.00');
INSERT INTO items VALUES (1017, 'Bell, brass', 2, '18.90');
INSERT INTO orders VALUES (1018, 7, '2026-09-23', 'delivered', '2026-09-24', '2026-09-27', 'LC1018456572AT', '27.50');
INSERT INTO items VALUES (1018, 'Multi-tool 14', 1, '27.50');
INSERT INTO orders VALUES (1019, 2, '2026-09-25', 'delivered', '2026-09-26', '2026-09-29', 'LC1019743898AT', '124.90');
INSERT INTO items VALUES (1019, 'Front light 60 lux', 1, '54.00');
INSERT INTO items VALUES (1019, 'Cassette 11-34', 1, '58.00');
INSERT INTO items VALUES (1019, 'Brake pads, pair', 1, '12.90');
INSERT INTO orders VALUES (1020, 5, '2026-09-26', 'delivered', '2026-09-27', '2026-09-30', 'LC1020990174AT', '147.90');
INSERT INTO items VALUES (1020, 'Mudguards, pair', 2, '44.00');
INSERT INTO items VALUES (1020, 'Lock Anchor, 90 cm', 1, '59.90');
INSERT INTO orders VALUES (1021, 15, '2026-09-27', 'delivered', '2026-09-29', '2026-10-02', 'LC1021377617AT', '88.50');
INSERT INTO items VALUES (1021, 'Chain 11-speed', 1, '34.50');
INSERT INTO items VALUES (1021, 'Front light 60 lux', 1, '54.00');
INSERT INTO orders VALUES (1022, 6, '2026-09-29', 'delivered', '2026-09-30', '2026-10-03', 'LC1022823588AT', '1190.00');
INSERT INTO items VALUES (1022, 'City bicycle Larkfield No. 3, size M', 1, '1190.00');
INSERT INTO orders VALUES (1023, 1, '2026-09-30', 'delivered', '2026-10-01', '2026-10-03', 'LC1023909435AT', '153.50');
INSERT INTO items VALUES (1023, 'Chain 11-speed', 1, '34.50');
INSERT INTO items VALUES (1023, 'Rain jacket, size L', 1, '119.00');
INSERT INTO orders VALUES (1024, 18, '2026-10-01', 'delivered', '2026-10-02', '2026-10-05', 'LC1024642783AT', '135.90');
INSERT INTO items VALUES (1024, 'Saddle Millrace', 1, '64.00');
INSERT INTO items VALUES (1024, 'Bottle cage, steel', 2, '14.50');
INSERT INTO items VALUES (1024, 'Tyre Gravelway 40-622', 1, '42.90');
INSERT INTO orders VALUES (1025, 12, '2026-10-03', 'delivered', '2026-10-04', '2026-10-07', 'LC1025303051AT', '238.00');
INSERT INTO items VALUES (1025, 'Rain jacket, size L', 2, '119.00');
INSERT INTO orders VALUES (1026, 20, '2026-10-04', 'cancelled', NULL, NULL, NULL, '103.90');
INSERT INTO items VALUES (1026, 'Lock Anchor, 90 cm', 1, '59.90');
INSERT INTO items VALUES (1026, 'Mudguards, pair', 1, '44.00');
INSERT INTO orders VALUES (1027, 4, '2026-10-05', 'delivered', '2026-10-06', '2026-10-09', 'LC1027754381AT', '64.00');
INSERT INTO items VALUES (1027, 'Saddle Millrace', 1, '64.00');
INSERT INTO orders VALUES (1028, 1, '2026-10-07', 'delivered', '2026-10-08', '2026-10-11', 'LC1028287193AT', '81.90');
INSERT INTO items VALUES (1028, 'Chain 11-speed', 2, '34.50');
INSERT INTO items VALUES (1028, 'Brake pads, pair', 1, '12.90');
INSERT INTO orders VALUES (1029, 11, '2026-10-08', 'delivered', '2026-10-09', '2026-10-11', 'LC1029233209AT', '52.40');
INSERT INTO items VALUES (1029, 'Multi-tool 14', 1, '27.50');
INSERT INTO items VALUES (1029, 'Gloves, size S', 1, '24.90');
INSERT INTO orders VALUES (1030, 5, '2026-10-09', 'delivered', '2026-10-11', '2026-10-13', 'LC1030674919AT', '443.00');
INSERT INTO items VALUES (1030, 'Front light 60 lux', 1, '54.00');
INSERT INTO items VALUES (1030, 'Children''s bicycle Wren 20 inch', 1, '389.00');
INSERT INTO orders VALUES (1031, 1, '2026-10-11', 'delivered', '2026-10-12', '2026-10-14', 'LC1031304268AT', '1190.00');
INSERT INTO items VALUES (1031, 'City bicycle Larkfield No. 3, size M', 1, '1190.00');
INSERT INTO orders VALUES (1032, 1, '2026-10-12', 'delivered', '2026-10-14', '2026-10-16', 'LC1032539366AT', '1204.50');
INSERT INTO items VALUES (1032, 'City bicycle Larkfield No. 3, size M', 1, '1190.00');
INSERT INTO items VALUES (1032, 'Bottle cage, steel', 1, '14.50');
INSERT INTO orders VALUES (1033, 2, '2026-10-13', 'returned', '2026-10-15', '2026-10-18', 'LC1033259211AT', '73.90');
INSERT INTO items VALUES (1033, 'Multi-tool 14', 2, '27.50');
INSERT INTO items VALUES (1033, 'Bell, brass', 1, '18.90');
INSERT INTO orders VALUES (1034, 17, '2026-10-15', 'delivered', '2026-10-16', '2026-10-19', 'LC1034596493AT', '148.90');
INSERT INTO items VALUES (1034, 'Pannier Heron, 20 litres', 1, '79.00');
INSERT INTO items VALUES (1034, 'Helmet Meadow, size M', 1, '69.90');
INSERT INTO orders VALUES (1035, 4, '2026-10-16', 'delivered', '2026-10-18', '2026-10-20', 'LC1035159582AT', '2424.00');
INSERT INTO items VALUES (1035, 'City bicycle Larkfield No. 3, size M', 2, '1190.00');
INSERT INTO items VALUES (1035, 'Mudguards, pair', 1, '44.00');
INSERT INTO orders VALUES (1036, 7, '2026-10-17', 'delivered', '2026-10-19', '2026-10-21', 'LC1036129219AT', '2380.00');
INSERT INTO items VALUES (1036, 'City bicycle Larkfield No. 3, size M', 2, '1190.00');
INSERT INTO orders VALUES (1037, 15, '2026-10-19', 'delivered', '2026-10-21', '2026-10-24', 'LC1037359685AT', '2509.80');
INSERT INTO items VALUES (1037, 'Mudguards, pair', 1, '44.00');
INSERT INTO items VALUES (1037, 'City bicycle Larkfield No. 3, size M', 2, '1190.00');
INSERT INTO items VALUES (1037, 'Tyre Gravelway 40-622', 2, '42.90');
INSERT INTO orders VALUES (1038, 17, '2026-10-20', 'returned', '2026-10-21', '2026-10-24', 'LC1038227529AT', '158.90');
INSERT INTO items VALUES (1038, 'Cassette 11-34', 2, '58.00');
INSERT INTO items VALUES (1038, 'Tyre Gravelway 40-622', 1, '42.90');
INSERT INTO orders VALUES (1039, 15, '2026-10-21', 'delivered', '2026-10-22', '2026-10-25', 'LC1039801992AT', '29.90');
INSERT INTO items VALUES (1039, 'Pedals, pair', 1, '29.90');
INSERT INTO orders VALUES (1040, 4, '2026-10-23', 'returned', '2026-10-24', '2026-10-27', 'LC1040243921AT', '59.90');
INSERT INTO items VALUES (1040, 'Lock Anchor, 90 cm', 1, '59.90');
INSERT INTO orders VALUES (1041, 8, '2026-10-24', 'delivered', '2026-10-25', '2026-10-27', 'LC1041800273AT', '49.80');
INSERT INTO items VALUES (1041, 'Gloves, size S', 2, '24.90');
INSERT INTO orders VALUES (1042, 14, '2026-10-25', 'shipped', '2026-10-27', NULL, 'LC1042730951AT', '178.70');
INSERT INTO items VALUES (1042, 'Pannier Heron, 20 litres', 2, '79.00');
INSERT INTO items VALUES (1042, 'Inner tube 37-622', 3, '6.90');
INSERT INTO orders VALUES (1043, 14, '2026-10-27', 'cancelled', NULL, NULL, NULL, '93.90');
INSERT INTO items VALUES (1043, 'Saddle Millrace', 1, '64.00');
INSERT INTO items VALUES (1043, 'Pedals, pair', 1, '29.90');
INSERT INTO orders VALUES (1044, 11, '2026-10-28', 'delivered', '2026-10-30', '2026-11-02', 'LC1044118960AT', '267.80');
INSERT INTO items VALUES (1044, 'Helmet Meadow, size M', 2, '69.90');
INSERT INTO items VALUES (1044, 'Saddle Millrace', 2, '64.00');
INSERT INTO orders VALUES (1045, 11, '2026-10-29', 'delivered', '2026-10-30', '2026-11-02', 'LC1045188144AT', '1224.50');
INSERT INTO items VALUES (1045, 'City bicycle Larkfield No. 3, size M', 1, '1190.00');
INSERT INTO items VALUES (1045, 'Chain 11-speed', 1, '34.50');
INSERT INTO orders VALUES (1046, 9, '2026-10-31', 'delivered', '2026-11-01', '2026-11-04', 'LC1046990857AT', '119.00');
INSERT INTO items VALUES (1046, 'Rain jacket, size L', 1, '119.00');
INSERT INTO orders VALUES (1047, 9, '2026-11-01', 'delivered', '2026-11-02', '2026-11-05', 'LC1047938428AT', '1597.90');
INSERT INTO items VALUES (1047, 'City bicycle Larkfield No. 3, size M', 1, '1190.00');
INSERT INTO items VALUES (1047, 'Bell, brass', 1, '18.90');
INSERT INTO items VALUES (1047, 'Children''s bicycle Wren 20 inch', 1, '389.00');
INSERT INTO orders VALUES (1048, 6, '2026-11-02', 'delivered', '2026-11-04', '2026-11-07', 'LC1048192868AT', '119.00');
INSERT INTO items VALUES (1048, 'Rain jacket, size L', 1, '119.00');
INSERT INTO orders VALUES (1049, 3, '2026-11-04', 'delivered', '2026-11-05', '2026-11-07', 'LC1049575816AT', '34.50');
INSERT INTO items VALUES (1049, 'Chain 11-speed', 1, '34.50');
INSERT INTO orders VALUES (1050, 11, '2026-11-05', 'cancelled', NULL, NULL, NULL, '173.00');
INSERT INTO items VALUES (1050, 'Rain jacket, size L', 1, '119.00');
INSERT INTO items VALUES (1050, 'Front light 60 lux', 1, '54.00');
INSERT INTO orders VALUES (1051, 4, '2026-11-06', 'cancelled', NULL, NULL, NULL, '85.90');
INSERT INTO items VALUES (1051, 'Inner tube 37-622', 1, '6.90');
INSERT INTO items VALUES (1051, 'Pannier Heron, 20 litres', 1, '79.00');
INSERT INTO orders VALUES (1052, 10, '2026-11-08', 'delivered', '2026-11-10', '2026-11-12', 'LC1052804807AT', '76.00');
INSERT INTO items VALUES (1052, 'Floor pump', 2, '38.00');
INSERT INTO orders VALUES (1053, 9, '2026-11-09', 'delivered', '2026-11-10', '2026-11-13', 'LC1053119329AT', '119.00');
INSERT INTO items VALUES (1053, 'Rain jacket, size L', 1, '119.00');
INSERT INTO orders VALUES (1054, 17, '2026-11-10', 'delivered', '2026-11-11', '2026-11-13', 'LC1054568771AT', '2380.00');
INSERT INTO items VALUES (1054, 'City bicycle Larkfield No. 3, size M', 2, '1190.00');
INSERT INTO orders VALUES (1055, 14, '2026-11-12', 'shipped', '2026-11-13', NULL, 'LC1055459351AT', '82.90');
INSERT INTO items VALUES (1055, 'Cassette 11-34', 1, '58.00');
INSERT INTO items VALUES (1055, 'Gloves, size S', 1, '24.90');
INSERT INTO orders VALUES (1056, 7, '2026-11-13', 'shipped', '2026-11-14', NULL, 'LC1056977645AT', '24.90');
INSERT INTO items VALUES (1056, 'Gloves, size S', 1, '24.90');
INSERT INTO orders VALUES (1057, 5, '2026-11-14', 'shipped', '2026-11-15', NULL, 'LC1057271176AT', '34.50');
INSERT INTO items VALUES (1057, 'Chain 11-speed', 1, '34.50');
INSERT INTO orders VALUES (1058, 2, '2026-11-16', 'packed', NULL, NULL, NULL, '24.90');
INSERT INTO items VALUES (1058, 'Gloves, size S', 1, '24.90');
INSERT INTO orders VALUES (1059, 20, '2026-11-17', 'packed', NULL, NULL, NULL, '38.00');
INSERT INTO items VALUES (1059, 'Floor pump', 1, '38.00');
INSERT INTO orders VALUES (1060, 15, '2026-11-18', 'open', NULL, NULL, NULL, '79.00');
INSERT INTO items VALUES (1060, 'Pannier Heron, 20 litres', 1, '79.00');
COMMIT;
