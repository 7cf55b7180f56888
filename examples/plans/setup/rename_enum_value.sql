CREATE TYPE contact_stage AS ENUM ('lead', 'customer', 'lost');
